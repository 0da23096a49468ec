"""What one training run is: data set, model, method, schedule and seed, frozen and checked."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from trainables.errors import ConfigError
from trainables.files.durable import digest_of
from trainables.interfaces import Dataset, Method, Model, Options, Part, registry
from trainables.interfaces.error_messages import one_line_per_mistake


def part_from(package: str, value: Any) -> Any:
    """Builds a part from its name, or from a mapping of ``name`` and options.

    Raises:
        ValueError: The name or an option is unknown, or an option is out of range.
    """
    if isinstance(value, Part):
        return value
    options = {"name": value} if isinstance(value, str) else dict(value) if isinstance(value, dict) else {}
    name = options.pop("name", None)
    if not isinstance(name, str):
        why = "is true or false in YAML, as on, off, yes and no are; " if isinstance(value, bool) else ""
        raise ValueError(f"{why}give the name of one of: {', '.join(registry.available(package))}")
    try:
        return registry.load(package, name).model_validate(options)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    except ValidationError as error:
        raise ValueError("; ".join(one_line_per_mistake(error))) from error


def _dump(part: Part) -> dict[str, Any]:
    return part.model_dump(mode="json")


type_of_dump = PlainSerializer(_dump, return_type=dict[str, Any])
AnyMethod = Annotated[Method, BeforeValidator(lambda value: part_from("methods", value)), type_of_dump]
AnyModel = Annotated[Model, BeforeValidator(lambda value: part_from("models", value)), type_of_dump]
AnyDataset = Annotated[Dataset, BeforeValidator(lambda value: part_from("datasets", value)), type_of_dump]


class Training(Options):
    """Optimisation: SGD with momentum, without Nesterov, weight decay on all parameters (paper, section 3.1).

    Attributes:
        epochs: Passes over the anchors.
        batch_size: Anchors per step.
        lr: Initial learning rate.
        momentum: Of SGD.
        weight_decay: L2 coefficient, batch-norm and bias included.
        milestones: Fractions of the epochs after which the learning rate is divided by 10.
        reference_off_by_one: The released code decays one epoch later than the paper says; True reproduces it.
        precision: Arithmetic of the network; the loss is float32 always. ``auto``: float32 on a CPU, on a GPU bfloat16,
            or float16 where that is missing.
        device: ``auto`` takes a GPU where there is one.
        compile: Whether torch compiles the training step. ``auto``: on a GPU, when the rest of the run would win more
            by it than compiling costs.
        cuda_graph: ``auto`` records the step once on a GPU and replays it; ``never`` is for methods and models that
            read values of the device.
        threads: CPU threads of a run. One per trial is the fastest way to use several cores.
        checkpoint_seconds: Least training time between two checkpoints; 0 means one each epoch.
    """

    epochs: int = Field(default=200, ge=1, le=1_000_000)
    batch_size: int = Field(default=128, ge=1)
    lr: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=1e-4, ge=0)
    milestones: tuple[float, ...] = (0.5, 0.75)
    reference_off_by_one: bool = False
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compile: Literal["auto", "never", "always"] = "auto"
    cuda_graph: Literal["auto", "never"] = "auto"
    threads: int = Field(default=1, ge=1)
    checkpoint_seconds: float = Field(default=60.0, ge=0)

    @model_validator(mode="after")
    def _milestones_rise(self) -> Training:
        inside = all(0 < fraction < 1 for fraction in self.milestones)
        if not inside or list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones are rising fractions of the epochs between 0 and 1, such as [0.5, 0.75]")
        return self

    def learning_rate(self, epoch: int) -> float:
        """Learning rate of a zero-based epoch.

        Example:
            >>> [round(Training(epochs=200).learning_rate(epoch), 4) for epoch in (0, 99, 100, 150)]
            [0.1, 0.1, 0.01, 0.001]
        """
        position = epoch - 1 if self.reference_off_by_one else epoch
        decays = sum(position >= round(fraction * self.epochs, 6) for fraction in self.milestones)
        return self.lr * 0.1**decays

    def epochs_before_decay(self) -> int:
        """Epochs with the initial learning rate.

        Example:
            >>> Training(epochs=200).epochs_before_decay(), Training(epochs=9, milestones=()).epochs_before_decay()
            (100, 9)
        """
        if not self.milestones:
            return self.epochs
        return min(self.epochs, math.ceil(round(self.milestones[0] * self.epochs, 6)) + self.reference_off_by_one)


class TrainConfig(Options):
    """Everything that decides the outcome of one run.

    Attributes:
        train_on: ``train`` leaves the validation split out and measures on it; ``full`` trains on everything.
        seed: Decides initialisation, order, partners and augmentation.
    """

    dataset: AnyDataset
    model: AnyModel
    method: AnyMethod
    training: Training = Training()
    train_on: Literal["train", "full"] = "train"
    seed: int = Field(default=0, ge=0, lt=2**63)

    def digest(self) -> str:
        """Short digest of what decides the outcome: where files lie and how often it is saved do not."""
        content = self.model_dump(mode="json")
        for key in ("root", "memory_limit", "stream"):
            content["dataset"].pop(key, None)
        for option in content["method"].values():
            if isinstance(option, dict) and option.get("sha256"):  # a file that is known by its content
                option.pop("checkpoint", None)
                option.pop("study", None)
        for key in ("checkpoint_seconds", "device", "compile", "cuda_graph"):
            content["training"].pop(key)
        return digest_of(content)
