"""Base class of methods, and the data that a method receives and returns.

A method is stateless: it declares what it needs (views, mixing, a head, exits, a teacher), and the trainer builds and
trains it. The head and the branches become part of the network, so they are optimised and saved with it; averaged
weights are saved in the checkpoints as well.
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

PROGRESS = "progress"  # key of the fraction of finished epochs among the values of a loss


@dataclass(frozen=True)
class View:
    """A set of images that a method requests for each batch.

    Attributes:
        name: Key of the view in ``Batch.views``.
        source: Images of the view. ``anchor``: the images of the batch; ``partner``: for each anchor a random image of
            its class, possibly the anchor itself; ``other_partner``: for each anchor a random other image of its class.
        augmented: Whether the images are under the training transform, with random draws of their own, or under the
            test transform.
    """

    name: str
    source: Literal["anchor", "partner", "other_partner"] = "anchor"
    augmented: bool = True


@dataclass(frozen=True)
class Mixing:
    """Mixing of the images of a batch: ``share * x + (1 - share) * x[order]``.

    Attributes:
        share: Scalar in [0, 1] for the whole batch, drawn from Beta(alpha, alpha).
        order: Random permutation of the batch, int64 ``[n]``.
    """

    share: Tensor
    order: Tensor


@dataclass(frozen=True)
class Batch:
    """A training batch of n anchors.

    Attributes:
        views: Images ``[n, 3, height, width]`` of each declared view, normalised, float32; row i belongs to anchor i.
        labels: Labels of the anchors, int64 ``[n]``.
        mixing: Mixing of the batch; None unless the method declares ``mixing_alpha``.
    """

    views: Mapping[str, Tensor]
    labels: Tensor
    mixing: Mixing | None = None


class Outputs(NamedTuple):
    """Outputs of the network for n images.

    Attributes:
        logits: Logits ``[n, classes]``.
        features: Pooled penultimate features ``[n, width]``.
        exits: Outputs of the exits, shallow to deep; empty without exits.
    """

    logits: Tensor
    features: Tensor
    exits: tuple[Outputs, ...] = ()


class Forward(Protocol):
    """Forward passes that a method can use; all take normalised images ``[n, 3, height, width]``."""

    @property
    def classifier(self) -> nn.Module:
        """Last layer: the head of the method if it has one, else that of the model."""

    def student(self, images: Tensor) -> Outputs:
        """Outputs with gradient, in train mode; updates batch-norm statistics."""

    def teacher(self, images: Tensor) -> Outputs:
        """Outputs of the same network without gradient, in train mode; updates batch-norm statistics."""

    def evaluated(self, images: Tensor) -> Outputs:
        """Outputs of the same network without gradient, in evaluation mode: batch norm uses its running statistics."""

    def averaged(self, images: Tensor) -> Outputs:
        """Outputs of the network with averaged weights without gradient, in train mode.

        Raises:
            ConfigError: The method does not declare ``averaging``.
        """

    def pretrained(self, images: Tensor) -> Outputs:
        """Outputs of the pretrained teacher without gradient, in evaluation mode.

        Raises:
            ConfigError: The method does not declare ``pretrained``.
        """


@dataclass(frozen=True)
class LossTerms:
    """Loss of a batch and its terms.

    Attributes:
        total: Scalar to minimise.
        parts: Unweighted terms by name, scalars averaged over the batch; reported as ``train/<name>``.
        logits: Logits ``[n, classes]`` of the anchors for the training error; None if the images are mixed.
    """

    total: Tensor
    parts: Mapping[str, Tensor]
    logits: Tensor | None


class Teacher(Options):
    """Pretrained teacher, given by its checkpoint or by a confirmation run of a finished study.

    Attributes:
        checkpoint: Checkpoint file written by a run of this project.
        study: Directory of a finished study, instead of ``checkpoint``.
        seed: Seed of the study's confirmation run.
        arm: Arm of the study: ``winner``, or a label such as ``controls/0``.
        sha256: SHA-256 of the checkpoint file, entered when the study starts; a file with another digest is refused.
        validation_top1_error: Top-1 error of the teacher on validation data, a fraction, entered when the study starts.
        test_top1_error: Top-1 error of the teacher on test data, a fraction, entered when the study starts.
        trained_on: Training data of the teacher, entered when the study starts: ``full`` includes validation images.
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
    """A training objective. Its numeric fields are hyperparameters, which a study can search."""

    @model_validator(mode="after")
    def _can_be_trained(self) -> Method:
        if PROGRESS in type(self).model_fields:
            raise ValueError(
                f"rename its field {PROGRESS}: the values of a loss hold the run's progress under that name"
            )
        if not callable(self.averaging):
            raise ValueError("averaging is not a method; write def averaging(self), which returns the name of a field")
        name = self.averaging()
        if name is None:
            return self
        decay = getattr(self, name) if name in type(self).model_fields else None
        if not isinstance(decay, int | float) or isinstance(decay, bool):
            raise ValueError(f"averaging returns {name!r}, which is not a numeric field")
        if not 0 <= decay < 1:
            raise ValueError(f"{name}, the decay of the averaged weights per step, must be in [0, 1)")
        return self

    @abstractmethod
    def views(self) -> tuple[View, ...]:
        """Views that each batch holds, with distinct names; at least one."""

    @abstractmethod
    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Computes the loss of a batch.

        It must not read values back from the device, as ``item()`` does, unless the study sets ``training.cuda_graph``
        to ``never``.

        Args:
            forward: Forward passes of the network.
            batch: Views, labels and mixing.
            values: Numeric fields of the method as float32 scalar tensors on the batch's device, and ``progress``, the
                fraction of the run's epochs that are finished, in [0, 1).
        """

    def mixing_alpha(self) -> float | None:
        """Parameter of the Beta distribution of the mixing share, greater than 0; None to not mix batches."""
        return None

    def head(self, width: int, num_classes: int) -> nn.Module | None:
        """Builds a last layer that replaces the model's and maps features to logits; None keeps the model's.

        Args:
            width: Width of the features ``[n, width]``.
            num_classes: Number of classes.
        """
        del width, num_classes
        return None

    def exits(self) -> tuple[int, ...]:
        """Stages, counted from 1 and ascending, after which the network gets an exit; the last stage is excluded."""
        return ()

    def branch(
        self, shape: tuple[int, int, int], last: tuple[int, int, int], width: int, num_classes: int
    ) -> nn.Module:
        """Builds the branch of an exit, which maps a stage's map to ``Outputs`` or a pair (logits, features).

        Args:
            shape: Channels, height and width of the stage's map.
            last: Channels, height and width of the last stage's map.
            width: Width of the network's pooled features.
            num_classes: Number of classes.

        Raises:
            ConfigError: The method declares exits but does not override this method.
        """
        del shape, last, width, num_classes
        raise ConfigError(
            f"{self.part_name()} declares exits but no branch; override branch(), as trainables/methods/byot.py does"
        )

    def pretrained(self) -> Teacher | None:
        """Pretrained teacher of the method; None if it has none."""
        return None

    def averaging(self) -> str | None:
        """Name of the field that holds the decay per step of averaged weights, in [0, 1); None for no averaging.

        With a decay d, the weights of ``forward.averaged`` become d times themselves plus 1 - d times the network's
        after each step.
        """
        return None

    def readouts(self, outputs: Outputs, classifier: nn.Module) -> Mapping[str, Tensor]:
        """Additional logits ``[n, classes]`` to evaluate, by name; reported as ``<split>/<name>/<metric>``.

        Args:
            outputs: Outputs of the network in evaluation mode.
            classifier: Last layer of the network.
        """
        del outputs, classifier
        return {}
