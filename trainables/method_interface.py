"""What a method is, what it sees of the network, and what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from trainables.parts import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


@dataclass(frozen=True)
class View:
    """One batch of images that a method asks for.

    Attributes:
        name: Key of the view in the batch.
        source: ``anchor``, the images of the batch; ``partner``, for each anchor a random image of its class, perhaps
            itself; ``other_partner``, never itself.
        augmented: Under the training transform with its own random draw; otherwise under the test transform.
    """

    name: str
    source: Literal["anchor", "partner", "other_partner"] = "anchor"
    augmented: bool = True


@dataclass(frozen=True)
class Batch:
    """Images of each declared view ``[n, 3, height, width]`` (row i of each belongs to anchor i), labels ``[n]``."""

    views: Mapping[str, Tensor]
    labels: Tensor


class Outputs(NamedTuple):
    """Logits ``[n, classes]`` and pooled penultimate features ``[n, width]``."""

    logits: Tensor
    features: Tensor


class Forward(Protocol):
    """The network as a method sees it; both passes run in train mode and update batch-norm statistics."""

    def student(self, images: Tensor) -> Outputs:
        """Outputs with gradient."""

    def teacher(self, images: Tensor) -> Outputs:
        """Outputs without gradient."""


@dataclass(frozen=True)
class LossTerms:
    """What a method computes for a batch.

    Attributes:
        total: Scalar that is minimised.
        parts: The unweighted terms, scalars averaged over the batch, logged as ``train/<name>``.
        logits: Logits of the clean labels' images ``[n, classes]`` for the training error; None where there are none.
    """

    total: Tensor
    parts: Mapping[str, Tensor]
    logits: Tensor | None


class Method(Part, ABC):
    """A training objective; numeric fields are hyperparameters and may be searched."""

    @abstractmethod
    def views(self) -> tuple[View, ...]:
        """The views that a batch must hold."""

    @abstractmethod
    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Loss of a batch; ``values`` holds the numeric fields as scalar tensors on the batch's device."""
