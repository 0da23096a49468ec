"""Loads the pretrained teacher of a method from a checkpoint."""

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
    """Checks that a method's pretrained teacher, if it declares one, fits the data.

    Args:
        method: Any method.
        classes: Class names of the data set, in label order.
        size: Height and width of its images in pixels.

    Raises:
        ConfigError: No checkpoint is named, or the teacher does not accept images of this size.
        CheckpointError: The checkpoint is missing, damaged, not the recorded file, or has other classes.
    """
    teacher = method.pretrained()
    if teacher is not None:
        load_teacher(teacher, classes, size, torch.device("cpu"), torch.float32)


def load_teacher(
    teacher: Teacher, classes: tuple[str, ...], size: tuple[int, int], device: torch.device, precision: torch.dtype
) -> Network:
    """Loads a teacher onto ``device``, in evaluation mode, with fixed weights.

    Args:
        teacher: Location of the checkpoint, which also holds the teacher's configuration.
        classes: Class names of the student's data set, in label order.
        size: Height and width of its images in pixels.
        device: Device of the run.
        precision: Floating-point type of the forward passes.

    Raises:
        ConfigError: No checkpoint is named, or the teacher does not accept images of this size.
        CheckpointError: The checkpoint is missing, damaged, not the recorded file, or has other classes.
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
            f"{path}: the teacher was trained on {len(state['classes'])} classes, such as {state['classes'][0]!r}, "
            f"which are not the {len(classes)} of the data set; train it on the same data"
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
    """Configuration that a checkpoint was trained with.

    Raises:
        CheckpointError: The checkpoint holds no configuration, or one that is no longer valid.
    """
    if not {"config", "classes", "model"} <= state.keys():
        raise CheckpointError(f"{path}: contains no configuration or no weights; it was not written by a training run")
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
        raise CheckpointError(f"{path} is not the file that the study recorded (SHA-256 {found}, not {expected})")
    return state
