"""A branch: an early exit's way from a stage's map to features and logits."""

from __future__ import annotations

from torch import Tensor, nn

from trainables.interfaces import Outputs


def _block(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.BatchNorm2d(outputs), nn.ReLU())


class Branch(nn.Module):
    """Bottleneck that brings a map to the channels and the size of the network's last one; pooling; linear classifier.

    Three convolutions with batch norm and ReLU: 1x1 to a quarter of the last channels, one over ``reduction`` pixels
    with as large a stride, 1x1 to the last channels.

    Args:
        inputs: Channels of the map.
        width: Channels at the end, those of the network's pooled features.
        num_classes: Outputs.
        reduction: How many times smaller the last map is.
        strided: Halve with 3x3 convolutions of stride 2 instead, for maps where one kernel would be large.
        adapter: Hand the features out through a linear layer; the logits are made of them as they are.
    """

    def __init__(
        self, inputs: int, width: int, num_classes: int, reduction: int, *, strided: bool, adapter: bool = False
    ) -> None:
        super().__init__()
        narrow = max(1, width // 4)
        halvings = max(1, reduction.bit_length() - 1)
        reducing = (
            [_block(narrow, narrow, 3, 2, 1) for _ in range(halvings)]
            if strided
            else [_block(narrow, narrow, reduction, reduction)]
        )
        self.body = nn.Sequential(_block(inputs, narrow, 1), *reducing, _block(narrow, width, 1))
        self.classifier = nn.Linear(width, num_classes)
        self.adapter = nn.Linear(width, width) if adapter else nn.Identity()

    def forward(self, maps: Tensor) -> Outputs:
        """Logits ``[n, num_classes]`` and features ``[n, width]`` of maps ``[n, inputs, height, width]``."""
        features = self.body(maps).mean(dim=(2, 3))
        return Outputs(self.classifier(features), self.adapter(features))
