"""PreAct ResNet-10 for small images."""

from typing import ClassVar

from trainables.models.layers.preact_model import PreactModel


class PreactResnet10(PreactModel):
    """ResNet-10 with pre-activation and a 3x3 stem: one block a stage, the paper's small student."""

    blocks: ClassVar[tuple[int, int, int, int]] = (1, 1, 1, 1)
