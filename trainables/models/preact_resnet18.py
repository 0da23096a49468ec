"""PreAct ResNet-18 for small images."""

from typing import ClassVar

from trainables.models.layers.preact_model import PreactModel


class PreactResnet18(PreactModel):
    """ResNet-18 with pre-activation and a 3x3 stem, for small images: two blocks per stage.

    The paper's main network for 32x32 images (section 3.1). It has 11,217,444 parameters with 100 classes.
    """

    blocks: ClassVar[tuple[int, int, int, int]] = (2, 2, 2, 2)
