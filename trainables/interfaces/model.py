"""What a model is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from trainables.interfaces.part import Part

if TYPE_CHECKING:
    from torch import nn


class Model(Part, ABC):
    """A network architecture.

    What ``build`` returns has ``features(images) -> [n, width]`` (pooled penultimate features) and ``classifier``, the
    last layer, a linear one, which a method may replace; calling it gives the logits. For methods with early exits it
    also has ``feature_maps(images)``, the maps ``[n, channels, height, width]`` of its stages, shallow to deep, and
    ``pooled(last_map)``, the features of the last of them.
    """

    @abstractmethod
    def build(self, num_classes: int) -> nn.Module:
        """A freshly initialised network; the caller seeds torch."""

    def check_images(self, height: int, width: int) -> None:
        """Whether the network takes images of this size.

        Raises:
            ConfigError: It does not; the message says what to set.
        """
