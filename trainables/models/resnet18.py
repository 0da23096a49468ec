"""ResNet-18 for large images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.layers.imagenet_model import ImagenetModel

if TYPE_CHECKING:
    from torch import nn


class Resnet18(ImagenetModel):
    """ResNet-18 of torchvision, without pretrained weights, for images from 32x32 pixels.

    The paper's main network for 224x224 images (section 3.1). It has 11,227,812 parameters with 100 classes.
    """

    def build(self, num_classes: int) -> nn.Module:
        """Builds a newly initialised network; the caller seeds torch."""
        from trainables.models.layers.torchvision_import import models
        from trainables.models.layers.torchvision_networks import staged_resnet

        return staged_resnet(models.resnet18(num_classes=num_classes))
