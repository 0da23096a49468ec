"""The network that a method trains: the model with the method's head and branches, and its forward passes."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainables.errors import ConfigError
from trainables.interfaces import Outputs
from trainables.training.averaging import AveragedCopy

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from trainables.interfaces import Method, Model


def build_network(model: Model, method: Method, num_classes: int, height: int, width: int) -> nn.Module:
    """Builds the model with the method's last layer and branches (in ``exits``), if it declares them.

    The model is initialised first, so that its initial weights depend on the seed and not on the method.

    Args:
        model: Network architecture.
        method: Training objective.
        num_classes: Number of classes.
        height: Height of the images in pixels.
        width: Width of the images in pixels.

    Raises:
        ConfigError: The method needs exits, and the model has no feature maps or too few stages.
    """
    network = model.build(num_classes)
    features: int = network.classifier.in_features  # type: ignore[union-attr, assignment]
    head = method.head(features, num_classes)
    if head is not None:
        network.classifier = head
    stages = method.exits()
    if stages:
        shapes = _map_shapes(network, model, stages, height, width)
        network.exits = nn.ModuleDict(
            {str(stage): method.branch(shapes[stage - 1], shapes[-1], features, num_classes) for stage in stages}
        )
    return network


def _map_shapes(
    network: nn.Module, model: Model, stages: tuple[int, ...], height: int, width: int
) -> list[tuple[int, int, int]]:
    if not hasattr(network, "feature_maps"):
        raise ConfigError(f"{model.part_name()} has no feature_maps, which a method with exits needs")
    network.eval()  # keeps batch-norm statistics unchanged
    with torch.no_grad():
        maps = network.feature_maps(torch.zeros(1, 3, height, width))  # type: ignore[operator]
    network.train()
    if len(maps) <= max(stages):
        raise ConfigError(f"{model.part_name()} has {len(maps)} stages, too few for an exit after stage {max(stages)}")
    return [tuple(one.shape[1:]) for one in maps]


class Network:
    """Forward passes that a method can use; see ``trainables.interfaces.Forward``.

    Args:
        model: Network from ``build_network``.
        device: Device of the model.
        precision: Floating-point type of the forward passes.
        pretrained: Teacher that the method declares, in evaluation mode.
        averages: Whether to keep a copy with averaged weights.

    Attributes:
        device: Device of the model.
        precision: Floating-point type of the forward passes.
        average: Copy of the model with averaged weights, or None.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        precision: torch.dtype,
        pretrained: Network | None = None,
        *,
        averages: bool = False,
    ) -> None:
        self.model = model
        self.device = device
        self.precision = precision
        self.average = AveragedCopy(model) if averages else None
        self._pretrained = pretrained
        self._averaged = None if self.average is None else Network(self.average.model, device, precision)

    @property
    def classifier(self) -> nn.Module:
        """Last layer: the head of the method if it has one, else that of the model."""
        return self.model.classifier  # type: ignore[return-value]

    def student(self, images: Tensor) -> Outputs:
        """Logits and features with gradient; updates batch-norm statistics."""
        with self._arithmetic():
            exits = getattr(self.model, "exits", None)
            if exits is None:
                features: Tensor = self.model.features(images)  # type: ignore[operator]
                return Outputs(self.classifier(features), features)
            maps = self.model.feature_maps(images)  # type: ignore[operator]
            features = self.model.pooled(maps[-1])  # type: ignore[operator]
            branches = tuple(Outputs(*branch(maps[int(stage) - 1])) for stage, branch in exits.items())
            return Outputs(self.classifier(features), features, branches)

    @torch.no_grad()
    def teacher(self, images: Tensor) -> Outputs:
        """Logits and features without gradient; updates batch-norm statistics."""
        return self.student(images)

    @torch.no_grad()
    def evaluated(self, images: Tensor) -> Outputs:
        """Logits and features without gradient, in evaluation mode: batch norm uses its running statistics."""
        mode = self.model.training
        self.model.eval()
        try:
            return self.student(images)
        finally:
            self.model.train(mode)

    @torch.no_grad()
    def averaged(self, images: Tensor) -> Outputs:
        """Logits and features of the copy with averaged weights, in train mode, without gradient.

        Raises:
            ConfigError: The method declares no averaging.
        """
        if self._averaged is None:
            raise ConfigError("the method uses averaged weights but declares no averaging; override averaging()")
        return self._averaged.student(images)

    @torch.no_grad()
    def pretrained(self, images: Tensor) -> Outputs:
        """Logits and features of the pretrained teacher, without gradient.

        Raises:
            ConfigError: The method declares no teacher.
        """
        if self._pretrained is None:
            raise ConfigError("the method uses a pretrained teacher but declares none; override pretrained()")
        return self._pretrained.student(images)

    def _arithmetic(self) -> AbstractContextManager[object]:
        if self.precision is torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.precision)
