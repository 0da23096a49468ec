"""ResNet-101 for large images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.layers.imagenet_model import ImagenetModel

if TYPE_CHECKING:
    from torch import nn


class Resnet101(ImagenetModel):
    """ResNet-101 of torchvision, without pretrained weights, for images from 32x32 pixels.

    Bottlenecks have their stride in the 3x3 convolution. The paper uses the network on ImageNet (section 3.2, table 5).
    It has 42,705,060 parameters with 100 classes.
    """

    def build(self, num_classes: int) -> nn.Module:
        """Builds a newly initialised network; the caller seeds torch."""
        from trainables.models.layers.torchvision_import import models
        from trainables.models.layers.torchvision_networks import staged_resnet

        return staged_resnet(models.resnet101(num_classes=num_classes))
