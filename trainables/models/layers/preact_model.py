"""Options that the networks of ``trainables.models.layers.preact`` share; importable without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from trainables.errors import ConfigError
from trainables.interfaces import Model

if TYPE_CHECKING:
    from torch import nn


class PreactModel(Model):
    """Base of the PreAct ResNets for small images.

    Attributes:
        blocks: Blocks of each of the four stages.
        width: Channels of the first stage; 64 in the paper.
        input_size: Height and width of the images; 32 in the paper.
        shortcut: What an identity shortcut carries: ``preact``, the activated input, as in the paper's released code,
            or ``input``, the raw one.
    """

    blocks: ClassVar[tuple[int, int, int, int]]

    width: int = Field(default=64, ge=1)
    input_size: int = Field(default=32, ge=8, multiple_of=8)
    shortcut: Literal["preact", "input"] = "preact"

    def check_images(self, height: int, width: int) -> None:
        """Only square images of ``input_size``.

        Raises:
            ConfigError: The images have another size; the message says what to set.
        """
        if height == width == self.input_size:
            return
        fits = height == width and height % 8 == 0
        cure = f"set model.input_size: {height}" if fits else "bring them to a square size that 8 divides"
        raise ConfigError(
            f"{self.part_name()}: input_size is {self.input_size}, but the images of the data set are "
            f"{height}x{width}; {cure}"
        )

    def build(self, num_classes: int) -> nn.Module:
        """A freshly initialised network; the caller seeds torch."""
        from trainables.models.layers.preact import PreactResnet

        return PreactResnet(self.blocks, num_classes, self.width, self.input_size, self.shortcut)
