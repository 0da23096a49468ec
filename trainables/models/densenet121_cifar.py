"""DenseNet-121 for small images."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from trainables.errors import ConfigError
from trainables.interfaces import Model

if TYPE_CHECKING:
    from torch import nn


class Densenet121Cifar(Model):
    """DenseNet-BC-121 with a 3x3 stem: the paper's second network at 32x32, and its teacher there.

    Attributes:
        growth: Maps that each layer adds; 32 in the paper.
    """

    input_size: ClassVar[int] = 32

    growth: int = Field(default=32, ge=1)

    def check_images(self, height: int, width: int) -> None:
        """Square images of 32 pixels, as the released network takes.

        Raises:
            ConfigError: The images have another size.
        """
        if not height == width == self.input_size:
            raise ConfigError(
                f"{self.part_name()}: takes 32x32 images, but those of the data set are {height}x{width}; "
                "take densenet121 for larger ones"
            )

    def build(self, num_classes: int) -> nn.Module:
        """A freshly initialised network; the caller seeds torch."""
        from trainables.models.layers.densenet import densenet

        return densenet((6, 12, 24, 16), self.growth, num_classes)
