"""Base class of the PreAct ResNets; importable without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from trainables.errors import ConfigError
from trainables.interfaces import Model

if TYPE_CHECKING:
    from torch import nn


class PreactModel(Model):
    """Base class of the PreAct ResNets for small images (He et al., ECCV 2016).

    Attributes:
        blocks: Number of blocks of each of the four stages.
        width: Number of channels of the first stage; 64 in the paper.
        input_size: Height and width of the images in pixels; 32 in the paper.
        shortcut: Value of identity shortcuts. ``preact``: the activated input of the block, as in the paper's released
            code; ``input``: the input itself.
    """

    blocks: ClassVar[tuple[int, int, int, int]]

    width: int = Field(default=64, ge=1)
    input_size: int = Field(default=32, ge=8, multiple_of=8)
    shortcut: Literal["preact", "input"] = "preact"

    def check_images(self, height: int, width: int) -> None:
        """Checks that images are squares of ``input_size`` pixels.

        Raises:
            ConfigError: The images have another size; the message says what to set.
        """
        if height == width == self.input_size:
            return
        fits = height == width and height % 8 == 0
        remedy = f"set model.input_size: {height}" if fits else "resize them to a square whose side is a multiple of 8"
        raise ConfigError(
            f"{self.part_name()}: input_size is {self.input_size}, but the images of the data set are "
            f"{height}x{width}; {remedy}"
        )

    def build(self, num_classes: int) -> nn.Module:
        """Builds a newly initialised network; the caller seeds torch."""
        from trainables.models.layers.preact import PreactResnet

        return PreactResnet(self.blocks, num_classes, self.width, self.input_size, self.shortcut)
