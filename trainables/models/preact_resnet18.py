"""PreAct ResNet-18 for small images."""

from typing import ClassVar

from trainables.models.layers.preact_model import PreactModel


class PreactResnet18(PreactModel):
    """ResNet-18 with pre-activation and a 3x3 stem: two blocks a stage, the paper's main network at 32x32."""

    blocks: ClassVar[tuple[int, int, int, int]] = (2, 2, 2, 2)
