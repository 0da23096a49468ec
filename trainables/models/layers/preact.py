"""Residual network with pre-activation for small images, as in the paper's released code.

It differs in two points from the public network that a footnote of the paper names: batch norm and ReLU follow the
first convolution, and identity shortcuts carry the activated input (``shortcut="preact"``) instead of the input itself
(``shortcut="input"``).
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Shortcut = Literal["preact", "input"]


class PreactBlock(nn.Module):
    """Residual block with pre-activation (He et al., Identity mappings in deep residual networks, ECCV 2016).

    Args:
        inputs: Number of channels of the input.
        outputs: Number of channels of the output.
        stride: Stride of the first convolution.
        shortcut: Value of an identity shortcut: ``preact``, relu(bn(x)), or ``input``, x.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        same_shape = stride == 1 and inputs == outputs
        self.projection = None if same_shape else nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self._identity_of_input = shortcut == "input"

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``[n, inputs, h, w]`` to ``[n, outputs, h/stride, w/stride]``."""
        h = self.bn1(x).relu()
        residual = self.conv2(self.bn2(self.conv1(h)).relu())
        if self.projection is not None:
            h = self.projection(h)
        elif self._identity_of_input:
            h = x
        return residual + h  # type: ignore[no-any-return]


class PreactResnet(nn.Module):
    """Stem, four stages of blocks, average pooling, linear classifier, with PyTorch's default initialisation.

    Args:
        blocks: Number of blocks of each of the four stages.
        num_classes: Number of classes.
        width: Number of channels of the first stage; it doubles at each later stage.
        input_size: Height and width of the images in pixels, a multiple of 8.
        shortcut: Value of identity shortcuts; see ``PreactBlock``.
    """

    def __init__(
        self, blocks: tuple[int, int, int, int], num_classes: int, width: int, input_size: int, shortcut: Shortcut
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        layers: list[nn.Module] = []
        channels = width
        for stage, count in enumerate(blocks):
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                layers.append(PreactBlock(channels, width * 2**stage, stride, shortcut))
                channels = width * 2**stage
        self._stage_ends = {sum(blocks[: stage + 1]) for stage in range(len(blocks))}
        self.stages = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, num_classes)

    def feature_maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps of the stages, ``[n, width, s, s]``, ``[n, 2 width, s/2, s/2]``, …, from images ``[n, 3, s, s]``.

        Raises:
            ValueError: The size s of the images is not ``input_size``.
        """
        height, width = images.shape[-2:]
        if height != self.input_size or width != self.input_size:
            size = self.input_size
            raise ValueError(
                f"the network takes {size}x{size} images and got {height}x{width}; set the model's input_size"
            )
        x, maps = self.stem(images), []
        for number, block in enumerate(self.stages, start=1):
            x = block(x)
            if number in self._stage_ends:
                maps.append(x)
        return tuple(maps)

    def pooled(self, last_map: Tensor) -> Tensor:
        """Features ``[n, 8 * width]``: mean of the last map, which may be negative."""
        return last_map.mean(dim=(2, 3))

    def features(self, images: Tensor) -> Tensor:
        """Pooled features ``[n, 8 * width]`` from images ``[n, 3, input_size, input_size]``."""
        return self.pooled(self.feature_maps(images)[-1])

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[n, num_classes]`` from images ``[n, 3, input_size, input_size]``."""
        return self.classifier(self.features(images))  # type: ignore[no-any-return]
