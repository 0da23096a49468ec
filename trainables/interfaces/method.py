"""What a method is, what it sees of the network, and what it gives back.

A method is stateless: it declares what it needs (views, mixing, a head, exits, a teacher), and the trainer builds and
trains it. Head and branches become part of the network, so that checkpoints and the optimizer hold them; an averaged
teacher is in the checkpoints, too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Protocol

from pydantic import AfterValidator, Field, model_validator

from trainables.errors import ConfigError
from trainables.interfaces.part import Options, Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

PROGRESS = "progress"  # beside the numbers of a method: the share of the run's epochs that lie behind


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
class Mixing:
    """How the images of a batch are mixed: ``share * x + (1 - share) * x[order]``.

    Attributes:
        share: Scalar in [0, 1], one for the batch, drawn from Beta(alpha, alpha).
        order: A random permutation of the batch, int64 ``[n]``.
    """

    share: Tensor
    order: Tensor


@dataclass(frozen=True)
class Batch:
    """Images of each declared view ``[n, 3, height, width]`` (row i of each belongs to anchor i), labels ``[n]``.

    ``mixing`` is there for a method that declares it.
    """

    views: Mapping[str, Tensor]
    labels: Tensor
    mixing: Mixing | None = None


class Outputs(NamedTuple):
    """Logits ``[n, classes]`` and pooled features ``[n, width]`` of the last layer, and of exits, shallow to deep."""

    logits: Tensor
    features: Tensor
    exits: tuple[Outputs, ...] = ()


class Forward(Protocol):
    """The network as a method sees it; student and teacher run in train mode and update batch-norm statistics."""

    @property
    def classifier(self) -> nn.Module:
        """The last layer: the method's own head where it has one, else the model's."""

    def student(self, images: Tensor) -> Outputs:
        """Outputs with gradient."""

    def teacher(self, images: Tensor) -> Outputs:
        """Outputs without gradient."""

    def evaluated(self, images: Tensor) -> Outputs:
        """Outputs without gradient in evaluation mode, by batch norm's running statistics, which stay as they are."""

    def averaged(self, images: Tensor) -> Outputs:
        """Outputs of the declared average of the network's own weights, in train mode, without gradient."""

    def pretrained(self, images: Tensor) -> Outputs:
        """Outputs of the declared teacher, another network in evaluation mode, without gradient."""


@dataclass(frozen=True)
class LossTerms:
    """What a method computes for a batch.

    Attributes:
        total: Scalar that is minimised.
        parts: The unweighted terms, scalars averaged over the batch, logged as ``train/<name>``.
        logits: Logits of the clean labels' images ``[n, classes]`` for the training error; None where images are mixed.
    """

    total: Tensor
    parts: Mapping[str, Tensor]
    logits: Tensor | None


class Teacher(Options):
    """Another trained network, named by its checkpoint or by a confirmation run of a finished study.

    Attributes:
        checkpoint: File that a run of this project has written.
        study: Directory of a finished study, instead of ``checkpoint``.
        seed: Which confirmation seed of the study.
        arm: Which arm of the study: ``winner``, or a label such as ``controls/0``.
        sha256: Digest of the file, entered when a study begins; a file with another one is refused.
        validation_top1_error: Of the teacher, in [0, 1], entered with the digest where its run measured it.
        test_top1_error: Likewise.
        trained_on: ``full`` where the teacher also learned from validation images, likewise.
    """

    checkpoint: Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())] | None = None
    study: Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())] | None = None
    seed: int | None = Field(default=None, ge=0)
    arm: str = "winner"
    sha256: str | None = Field(default=None, pattern="[0-9a-f]{64}")
    validation_top1_error: float | None = Field(default=None, ge=0, le=1)
    test_top1_error: float | None = Field(default=None, ge=0, le=1)
    trained_on: Literal["train", "full"] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Teacher:
        if self.sha256 is None and self.checkpoint is not None and self.study is not None:
            raise ValueError("give either checkpoint or study, not both")
        if self.study is not None and self.seed is None:
            raise ValueError("a study has a run for each confirmation seed; give seed, too")
        return self


class Method(Part, ABC):
    """A training objective; numeric fields are hyperparameters and may be searched."""

    @model_validator(mode="after")
    def _can_be_trained(self) -> Method:
        if PROGRESS in type(self).model_fields:
            raise ValueError(f"its field {PROGRESS} needs another name: a loss finds the run's progress by that one")
        if not callable(self.averaging):
            raise ValueError("averaging is no method; write def averaging(self), which returns the name of a field")
        name = self.averaging()
        if name is None:
            return self
        kept = getattr(self, name) if name in type(self).model_fields else None
        if not isinstance(kept, int | float) or isinstance(kept, bool):
            raise ValueError(f"averaging names {name!r}, which is no numeric field")
        if not 0 <= kept < 1:
            raise ValueError(f"{name}, what averaged weights keep of themselves at each step, must lie in [0, 1)")
        return self

    @abstractmethod
    def views(self) -> tuple[View, ...]:
        """The views that a batch must hold."""

    @abstractmethod
    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Loss of a batch.

        Args:
            forward: The network.
            batch: Its views.
            values: The numeric fields as scalar tensors on the batch's device; and ``progress``, the share of the
                run's epochs that lie behind, in [0, 1).
        """

    def mixing_alpha(self) -> float | None:
        """Parameter of the Beta distribution by which batches are mixed; None for methods that do not mix."""
        return None

    def head(self, width: int, num_classes: int) -> nn.Module | None:
        """A last layer of the method's own, features ``[n, width]`` to logits; None keeps the model's."""
        del width, num_classes
        return None

    def exits(self) -> tuple[int, ...]:
        """The stages, counted from 1, after which the network gets a branch of its own; rising."""
        return ()

    def branch(
        self, shape: tuple[int, int, int], last: tuple[int, int, int], width: int, num_classes: int
    ) -> nn.Module:
        """A branch, for methods with exits: maps a stage's map to an ``Outputs`` or a pair (logits, features).

        Args:
            shape: Channels, height and width of that map.
            last: Of the last stage's map.
            width: Of the network's pooled features.
            num_classes: Outputs.

        Raises:
            ConfigError: The method declares exits, but no branch for them.
        """
        del shape, last, width, num_classes
        raise ConfigError(
            f"{self.part_name()} declares exits and no branch; override branch, as trainables/methods/byot.py does"
        )

    def pretrained(self) -> Teacher | None:
        """The trained network that this method learns from; None for methods without one."""
        return None

    def averaging(self) -> str | None:
        """The field that says how much of themselves averaged weights keep at each step, in [0, 1).

        With it, ``forward.averaged`` is a copy of the network whose weights follow it. None for methods without one.
        """
        return None

    def readouts(self, outputs: Outputs, classifier: nn.Module) -> Mapping[str, Tensor]:
        """Further logits ``[n, classes]`` that are measured beside the network's, as ``<split>/<name>/<metric>``."""
        del outputs, classifier
        return {}
