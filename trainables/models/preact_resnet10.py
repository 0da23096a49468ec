"""PreAct ResNet-10 for small images."""

from typing import ClassVar

from trainables.models.layers.preact_model import PreactModel


class PreactResnet10(PreactModel):
    """ResNet-10 with pre-activation and a 3x3 stem, for small images: one block per stage.

    The student of the paper's KD experiments on 32x32 images (section 3.2, table 4). It has 4,946,724 parameters with
    100 classes.
    """

    blocks: ClassVar[tuple[int, int, int, int]] = (1, 1, 1, 1)
