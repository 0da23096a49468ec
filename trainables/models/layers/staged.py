"""Network of a stem, stages and pooling: the structure of the published ImageNet networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class StagedNetwork(nn.Module):
    """Stem, stages with accessible maps, last activation, global average pooling, linear classifier.

    Args:
        stem: Layers before the first stage.
        stages: Stages; each maps ``[n, channels, height, width]`` to its own map.
        classifier: Last layer, on the pooled features.
        between: Layers after each stage except the last, such as the transitions of a DenseNet; None for none.
        last: Layers between the last stage and pooling; None for none.
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
        """Maps of the stages, before the layers between them; the last map includes the last activation."""
        x, maps = self.stem(images), []
        for stage, following in zip(self.stages, [*self.between, self.last], strict=True):
            maps.append(stage(x))
            x = following(maps[-1])
        return (*maps[:-1], x)

    def pooled(self, last_map: Tensor) -> Tensor:
        """Features ``[n, channels]``: mean of the last map."""
        return last_map.mean(dim=(2, 3))

    def features(self, images: Tensor) -> Tensor:
        """Pooled features ``[n, channels]`` from images ``[n, 3, height, width]``."""
        return self.pooled(self.feature_maps(images)[-1])

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[n, classes]`` from images ``[n, 3, height, width]``."""
        return self.classifier(self.features(images))  # type: ignore[no-any-return]
