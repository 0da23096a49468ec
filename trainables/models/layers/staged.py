"""A network as stages, with a stem before and a pooling after them: the shape of the published ImageNet networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class StagedNetwork(nn.Module):
    """Stem, stages whose maps are features of their own, last activation, global average pooling, linear classifier.

    Args:
        stem: Before the first stage.
        stages: Each maps ``[n, channels, height, width]`` to the map of a stage.
        between: After each stage but the last, such as a DenseNet's transitions; None where stages follow directly.
        last: After the last stage, before pooling; None for nothing.
        classifier: Of the pooled features.
    """

    def __init__(
        self,
        stem: nn.Module,
        stages: Sequence[nn.Module],
        classifier: nn.Linear,
        *,
        between: Sequence[nn.Module] | None = None,
        last: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList(stages)
        self.between = nn.ModuleList(between or [nn.Identity() for _ in stages[1:]])
        self.last = last or nn.Identity()
        self.classifier = classifier

    def feature_maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Map of each stage, before what lies between the stages; the last one activated as it is pooled."""
        x, maps = self.stem(images), []
        for stage, following in zip(self.stages, [*self.between, self.last], strict=True):
            maps.append(stage(x))
            x = following(maps[-1])
        return (*maps[:-1], x)

    def pooled(self, last_map: Tensor) -> Tensor:
        """Features ``[n, channels]``: the mean over the last map."""
        return last_map.mean(dim=(2, 3))

    def features(self, images: Tensor) -> Tensor:
        """Pooled features ``[n, channels]`` of images ``[n, 3, height, width]``."""
        return self.pooled(self.feature_maps(images)[-1])

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[n, classes]``."""
        return self.classifier(self.features(images))  # type: ignore[no-any-return]
