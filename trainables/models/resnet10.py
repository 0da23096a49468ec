"""ResNet-10 for large images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.layers.imagenet_model import ImagenetModel

if TYPE_CHECKING:
    from torch import nn


class Resnet10(ImagenetModel):
    """ResNet-10 for images from 32x32 pixels: one basic block per stage, built from torchvision's classes.

    The student of the paper's KD experiments on 224x224 images (section 3.2, table 4). It has 4,957,092 parameters with
    100 classes.
    """

    def build(self, num_classes: int) -> nn.Module:
        """Builds a newly initialised network; the caller seeds torch."""
        from trainables.models.layers.torchvision_import import models
        from trainables.models.layers.torchvision_networks import staged_resnet

        return staged_resnet(models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=num_classes))
