"""DenseNet-BC for small images, as in the paper's released code (Huang et al., CVPR 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainables.models.layers.staged import StagedNetwork


class DenseLayer(nn.Module):
    """Bottleneck of 1x1 and 3x3 convolutions whose ``growth`` maps are concatenated before those of the input.

    Args:
        inputs: Number of channels of the input.
        growth: Number of maps that the layer adds.
    """

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``[n, inputs, h, w]`` to ``[n, growth + inputs, h, w]``."""
        fresh = self.conv2(self.bn2(self.conv1(self.bn1(x).relu())).relu())
        return torch.cat([fresh, x], dim=1)


def transition(inputs: int, outputs: int) -> nn.Sequential:
    """Transition between dense blocks: batch norm, ReLU, 1x1 convolution, 2x2 average pooling."""
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), nn.AvgPool2d(2))


def densenet(blocks: tuple[int, ...], growth: int, num_classes: int) -> StagedNetwork:
    """Builds a DenseNet-BC with a 3x3 stem without batch norm, compression 0.5 and PyTorch's default initialisation.

    Args:
        blocks: Number of layers of each dense block, which is a stage.
        growth: Number of maps that each layer adds; the stem has twice as many.
        num_classes: Number of classes.
    """
    channels = 2 * growth
    stem = nn.Conv2d(3, channels, 3, padding=1, bias=False)
    stages, between = [], []
    for number, layers in enumerate(blocks):
        stages.append(nn.Sequential(*(DenseLayer(channels + layer * growth, growth) for layer in range(layers))))
        channels += layers * growth
        if number < len(blocks) - 1:
            between.append(transition(channels, channels // 2))
            channels //= 2
    last = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
    return StagedNetwork(stem, stages, nn.Linear(channels, num_classes), between=between, last=last)
