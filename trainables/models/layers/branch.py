"""Branch of an early exit: maps a stage's map to features and logits."""

from __future__ import annotations

from torch import Tensor, nn

from trainables.interfaces import Outputs


def _block(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.BatchNorm2d(outputs), nn.ReLU())


class Branch(nn.Module):
    """Bottleneck to the channels and size of the network's last map, average pooling, linear classifier.

    The bottleneck has three convolutions with batch norm and ReLU: 1x1 to a quarter of ``width``, one with kernel size
    and stride ``reduction``, and 1x1 to ``width``.

    Args:
        inputs: Number of channels of the map.
        width: Number of channels of the last map, which is the width of the features.
        num_classes: Number of classes.
        reduction: Factor by which the last map is smaller than this one.
        strided: Whether 3x3 convolutions with stride 2 replace the one with a large kernel.
        adapter: Whether the returned features pass a linear layer. The logits are computed before it.
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
        """Logits ``[n, num_classes]`` and features ``[n, width]`` from maps ``[n, inputs, height, width]``."""
        features = self.body(maps).mean(dim=(2, 3))
        return Outputs(self.classifier(features), self.adapter(features))
