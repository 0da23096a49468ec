"""ResNet-101 for large images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.layers.imagenet_model import ImagenetModel

if TYPE_CHECKING:
    from torch import nn


class Resnet101(ImagenetModel):
    """torchvision's ResNet-101 (stride in the 3x3 convolution), from scratch: on ImageNet in the paper."""

    def build(self, num_classes: int) -> nn.Module:
        """A freshly initialised network; the caller seeds torch."""
        from trainables.layers.torchvision_networks import staged_resnet
        from trainables.vision import models

        return staged_resnet(models.resnet101(num_classes=num_classes))
