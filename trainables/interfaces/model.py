"""Base class of models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from trainables.interfaces.part import Part

if TYPE_CHECKING:
    from torch import nn


class Model(Part, ABC):
    """A network architecture.

    The network that ``build`` returns maps images ``[n, 3, height, width]`` to logits ``[n, classes]`` and has

    * ``features(images)``: pooled penultimate features ``[n, width]``;
    * ``classifier``: the last layer, a ``torch.nn.Linear``, which a method may replace;
    * ``feature_maps(images)``: maps ``[n, channels, height, width]`` of its stages, shallow to deep, and
      ``pooled(last_map)``: features ``[n, width]`` of the last map. Only methods with early exits need these two.
    """

    @abstractmethod
    def build(self, num_classes: int) -> nn.Module:
        """Builds a newly initialised network; the caller seeds torch.

        Args:
            num_classes: Number of classes, at least 2.
        """

    def check_images(self, height: int, width: int) -> None:
        """Checks the size of the images; by default every size is accepted.

        Args:
            height: Height of the images in pixels.
            width: Width of the images in pixels.

        Raises:
            ConfigError: The network does not accept images of this size; the message says what to set.
        """
