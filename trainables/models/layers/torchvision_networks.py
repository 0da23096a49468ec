"""Takes torchvision's networks apart into stages, so that features and exits are reached the same way in all models.

Weights and their initialisation stay torchvision's: Kaiming normal by fan-out for the convolutions of a ResNet, by
fan-in for those of a DenseNet, whose linear bias starts at 0; batch norm starts at 1 and 0.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from trainables.models.layers.staged import StagedNetwork


def staged_resnet(network: Any) -> StagedNetwork:
    """The stages of a ``torchvision.models.ResNet``; its map sizes are a 4th, 8th, 16th and 32nd of the image's."""
    stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
    stages = [network.layer1, network.layer2, network.layer3, network.layer4]
    return StagedNetwork(stem, stages, network.fc)


def staged_densenet(network: Any) -> StagedNetwork:
    """The dense blocks of a ``torchvision.models.DenseNet`` as stages, its transitions between them."""
    parts = network.features
    return StagedNetwork(
        nn.Sequential(parts.conv0, parts.norm0, parts.relu0, parts.pool0),
        [parts.denseblock1, parts.denseblock2, parts.denseblock3, parts.denseblock4],
        network.classifier,
        between=[parts.transition1, parts.transition2, parts.transition3],
        last=nn.Sequential(parts.norm5, nn.ReLU()),
    )
