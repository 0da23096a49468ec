"""Loads the trained network that a method learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError

from trainables.config import TrainConfig
from trainables.errors import CheckpointError, ConfigError
from trainables.interfaces.error_messages import one_line_per_mistake
from trainables.runs import checkpoint
from trainables.runs.checkpoint_names import checksum_of
from trainables.training.network import Network, build_network

if TYPE_CHECKING:
    from pathlib import Path

    from trainables.interfaces import Method, Teacher


def check_teacher(method: Method, classes: tuple[str, ...], size: tuple[int, int]) -> None:
    """Whether a method that learns from a trained network can do so on this data.

    Args:
        method: Any.
        classes: Of the data set, in label order.
        size: Height and width of its images.

    Raises:
        ConfigError: As ``load_teacher``.
        CheckpointError: Likewise.
    """
    teacher = method.pretrained()
    if teacher is not None:
        load_teacher(teacher, classes, size, torch.device("cpu"), torch.float32)


def load_teacher(
    teacher: Teacher, classes: tuple[str, ...], size: tuple[int, int], device: torch.device, precision: torch.dtype
) -> Network:
    """The declared teacher on ``device``, in evaluation mode, its weights fixed.

    Args:
        teacher: Which; its file says what network it holds.
        classes: Of the student's data set, in label order.
        size: Height and width of its images.
        device: Of the run.
        precision: Arithmetic of the network.

    Raises:
        ConfigError: No checkpoint is named, or the network does not take images of this size.
        CheckpointError: The file is missing, damaged, another than was recorded, or of other classes.
    """
    path = teacher.checkpoint
    if path is None:
        raise ConfigError(
            "the method needs a trained teacher: set method.teacher.checkpoint, or method.teacher.study and "
            "method.teacher.seed in a study file"
        )
    state = _verified_state(path, teacher.sha256)
    config = config_of(state, path)
    if tuple(state["classes"]) != classes:
        raise CheckpointError(
            f"{path}: the teacher knows {len(state['classes'])} classes, such as {state['classes'][0]!r}, which are "
            f"not the {len(classes)} of the data set; train it on the same data"
        )
    config.model.check_images(*size)
    model = build_network(config.model, config.method, len(classes), *size)
    try:
        model.load_state_dict(state["model"])
    except RuntimeError as error:
        raise CheckpointError(f"{path}: its weights are not those of {config.model.part_name()}") from error
    model = model.eval().requires_grad_(requires_grad=False)
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Network(model, device, precision)


def config_of(state: dict[str, Any], path: Path) -> TrainConfig:
    """The configuration that a checkpoint was trained with.

    Raises:
        CheckpointError: It holds none, or one that is no longer valid.
    """
    if not {"config", "classes", "model"} <= state.keys():
        raise CheckpointError(f"{path}: does not say what network it holds; it was not written by a training run")
    try:
        return TrainConfig.model_validate(state["config"])
    except ValidationError as error:
        raise CheckpointError(f"{path}: {'; '.join(one_line_per_mistake(error))}") from error


def _verified_state(path: Path, expected: str | None) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"no teacher at {path}: there is no such file")
    state = checkpoint.load(path)
    found = checksum_of(path).read_text()
    if expected is not None and found != expected:
        raise CheckpointError(f"{path} is another file than the study recorded (SHA-256 {found}, not {expected})")
    return state
