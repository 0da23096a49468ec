"""DenseNet-121 for small images."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from trainables.errors import ConfigError
from trainables.interfaces import Model

if TYPE_CHECKING:
    from torch import nn


class Densenet121Cifar(Model):
    """DenseNet-BC-121 with a 3x3 stem for 32x32 images, as in the paper's released code.

    The paper's second network for 32x32 images and the teacher of its KD experiments there (section 3.1, table 4);
    Huang et al., Densely connected convolutional networks, CVPR 2017. It has 7,048,548 parameters with 100 classes.

    Attributes:
        growth: Growth rate: number of feature maps that each layer adds; 32 in the paper.
    """

    input_size: ClassVar[int] = 32

    growth: int = Field(default=32, ge=1)

    def check_images(self, height: int, width: int) -> None:
        """Checks that images are 32x32 pixels, as in the paper's released code.

        Raises:
            ConfigError: The images have another size.
        """
        if not height == width == self.input_size:
            raise ConfigError(
                f"{self.part_name()}: takes 32x32 images, but those of the data set are {height}x{width}; "
                "use densenet121 for larger ones"
            )

    def build(self, num_classes: int) -> nn.Module:
        """Builds a newly initialised network; the caller seeds torch."""
        from trainables.models.layers.densenet import densenet

        return densenet((6, 12, 24, 16), self.growth, num_classes)
