"""ResNet-10 for large images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.layers.imagenet_model import ImagenetModel

if TYPE_CHECKING:
    from torch import nn


class Resnet10(ImagenetModel):
    """ResNet of basic blocks, one a stage: the paper's small student at 224x224; not in torchvision by name."""

    def build(self, num_classes: int) -> nn.Module:
        """A freshly initialised network; the caller seeds torch."""
        from trainables.models.layers.torchvision_import import models
        from trainables.models.layers.torchvision_networks import staged_resnet

        return staged_resnet(models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=num_classes))
