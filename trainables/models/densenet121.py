"""DenseNet-121 for large images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.layers.imagenet_model import ImagenetModel

if TYPE_CHECKING:
    from torch import nn


class Densenet121(ImagenetModel):
    """DenseNet-121 of torchvision (growth rate 32), without pretrained weights, for images from 32x32 pixels.

    The paper's second network for 224x224 images (section 3.1); Huang et al., Densely connected convolutional networks,
    CVPR 2017. It has 7,056,356 parameters with 100 classes.
    """

    def build(self, num_classes: int) -> nn.Module:
        """Builds a newly initialised network; the caller seeds torch."""
        from trainables.models.layers.torchvision_import import models
        from trainables.models.layers.torchvision_networks import staged_densenet

        return staged_densenet(models.densenet121(num_classes=num_classes))
