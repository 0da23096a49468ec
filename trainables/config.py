"""Configuration of one training run: data set, model, method, schedule and seed; frozen and validated."""

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

    Args:
        package: Kind of the part: ``methods``, ``models`` or ``datasets``.
        value: Name, mapping, or a part, which is returned unchanged.

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
        epochs: Number of passes over the training images.
        batch_size: Number of anchors per step; partners are not counted.
        lr: Initial learning rate.
        momentum: Momentum of SGD.
        weight_decay: L2 coefficient on all parameters, including batch norm and biases.
        milestones: Fractions of the epochs after which the learning rate is divided by 10; increasing, between 0 and 1.
        reference_off_by_one: Switch for a schedule that decays one epoch later than the paper says, as in its released
            code.
        precision: Arithmetic of the network; the loss is always computed in float32. ``auto``: float32 on a CPU; on a
            GPU the first of bfloat16, float16 and float32 that it supports.
        device: Device of a run. ``auto``: a GPU if there is one, else the CPU.
        compile: Use of ``torch.compile`` for the training step. ``auto``: on a GPU, if the rest of the run is long
            enough to save more time than compilation takes.
        cuda_graph: Use of a CUDA graph for the training step. ``auto``: on a GPU, record the step once and replay it.
            ``never``: for methods and models that read values from the device.
        threads: Number of CPU threads per run. Several cores are used best by several runs with one thread each.
        checkpoint_seconds: Minimum training time in seconds between two checkpoints; 0 writes one after each epoch.
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
        """Number of epochs with the initial learning rate.

        Example:
            >>> Training(epochs=200).epochs_before_decay(), Training(epochs=9, milestones=()).epochs_before_decay()
            (100, 9)
        """
        if not self.milestones:
            return self.epochs
        return min(self.epochs, math.ceil(round(self.milestones[0] * self.epochs, 6)) + self.reference_off_by_one)


class TrainConfig(Options):
    """Options of one run; together they determine its outcome.

    Attributes:
        dataset: Data set and its options.
        model: Network architecture and its options.
        method: Training objective and its hyperparameters.
        training: Optimisation and execution.
        train_on: Training data. ``train``: without the validation split, which is evaluated; ``full``: all of it.
        seed: Seed of initialisation, order of the images, partners and augmentation.
    """

    dataset: AnyDataset
    model: AnyModel
    method: AnyMethod
    training: Training = Training()
    train_on: Literal["train", "full"] = "train"
    seed: int = Field(default=0, ge=0, lt=2**63)

    def digest(self) -> str:
        """Short digest of the options that affect the outcome.

        Excluded are the location and storage of files, the device, compilation, and the checkpoint interval.
        """
        content = self.model_dump(mode="json")
        for key in ("root", "memory_limit", "stream"):
            content["dataset"].pop(key, None)
        for option in content["method"].values():
            if isinstance(option, dict) and option.get("sha256"):  # the checksum identifies the file
                option.pop("checkpoint", None)
                option.pop("study", None)
        for key in ("checkpoint_seconds", "device", "compile", "cuda_graph"):
            content["training"].pop(key)
        return digest_of(content)
