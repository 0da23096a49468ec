"""ResNeXt-101 32x4d for large images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.layers.imagenet_model import ImagenetModel

if TYPE_CHECKING:
    from torch import nn


class Resnext10132x4d(ImagenetModel):
    """ResNeXt-101 with 32 groups of width 4, without pretrained weights, for images from 32x32 pixels.

    The paper uses it on ImageNet (section 3.2, table 5). It is built from torchvision's classes, because torchvision
    itself has 32x8d and 64x4d only. It has 44,177,704 parameters with 1,000 classes.
    """

    def build(self, num_classes: int) -> nn.Module:
        """Builds a newly initialised network; the caller seeds torch."""
        from trainables.models.layers.torchvision_import import models
        from trainables.models.layers.torchvision_networks import staged_resnet

        block, layers = models.resnet.Bottleneck, [3, 4, 23, 3]
        return staged_resnet(models.ResNet(block, layers, num_classes=num_classes, groups=32, width_per_group=4))
