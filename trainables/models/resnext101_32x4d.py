"""ResNeXt-101 32x4d for large images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.layers.imagenet_model import ImagenetModel

if TYPE_CHECKING:
    from torch import nn


class Resnext10132x4d(ImagenetModel):
    """ResNeXt-101 of 32 groups, 4 channels wide each, from scratch; torchvision names the 32x8d only."""

    def build(self, num_classes: int) -> nn.Module:
        """A freshly initialised network; the caller seeds torch."""
        from trainables.models.layers.torchvision_import import models
        from trainables.models.layers.torchvision_networks import staged_resnet

        block, layers = models.resnet.Bottleneck, [3, 4, 23, 3]
        return staged_resnet(models.ResNet(block, layers, num_classes=num_classes, groups=32, width_per_group=4))
