"""ResNet-50 for large images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.layers.imagenet_model import ImagenetModel

if TYPE_CHECKING:
    from torch import nn


class Resnet50(ImagenetModel):
    """torchvision's ResNet-50 (stride in the 3x3 convolution), from scratch: on ImageNet in the paper."""

    def build(self, num_classes: int) -> nn.Module:
        """A freshly initialised network; the caller seeds torch."""
        from trainables.models.layers.torchvision_import import models
        from trainables.models.layers.torchvision_networks import staged_resnet

        return staged_resnet(models.resnet50(num_classes=num_classes))
