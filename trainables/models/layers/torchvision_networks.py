"""Converts torchvision's networks to stages, so that all models give features and exits in the same way.

Weights keep torchvision's initialisation: Kaiming normal by fan-out for the convolutions of a ResNet, by fan-in for
those of a DenseNet, whose linear bias is 0; batch norm has weight 1 and bias 0.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from trainables.models.layers.staged import StagedNetwork


def staged_resnet(network: Any) -> StagedNetwork:
    """Converts a ``torchvision.models.ResNet``; its maps are 1/4, 1/8, 1/16 and 1/32 of the image's size."""
    stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
    stages = [network.layer1, network.layer2, network.layer3, network.layer4]
    return StagedNetwork(stem, stages, network.fc)


def staged_densenet(network: Any) -> StagedNetwork:
    """Converts a ``torchvision.models.DenseNet``: dense blocks become stages, with the transitions between them."""
    parts = network.features
    return StagedNetwork(
        nn.Sequential(parts.conv0, parts.norm0, parts.relu0, parts.pool0),
        [parts.denseblock1, parts.denseblock2, parts.denseblock3, parts.denseblock4],
        network.classifier,
        between=[parts.transition1, parts.transition2, parts.transition3],
        last=nn.Sequential(parts.norm5, nn.ReLU()),
    )
