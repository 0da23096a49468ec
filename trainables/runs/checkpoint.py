"""Checkpoints: written atomically with a checksum, two generations, loaded without running code."""

from __future__ import annotations

import io
import threading
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from trainables.errors import CheckpointError
from trainables.files.durable import sha256_of, write_atomic
from trainables.files.faultpoints import faultpoint
from trainables.runs.checkpoint_names import checksum_of, generations, path_of

GENERATIONS = 2
FORMAT = 1
FORMAT_KEY = "format"


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes ``state`` (tensors, numbers, strings and containers of them) and its SHA-256 in a file beside it.

    The checksum is written last; a checkpoint without one is incomplete and never loaded.
    """
    buffer = io.BytesIO()
    torch.save({FORMAT_KEY: FORMAT} | state, buffer)
    content = buffer.getvalue()
    checksum_of(path).unlink(missing_ok=True)
    write_atomic(path, content)
    faultpoint("checkpoint: written, without its checksum")
    write_atomic(checksum_of(path), sha256_of(content).encode())


def load(path: Path) -> dict[str, Any]:
    """Loads a checkpoint onto the CPU.

    Raises:
        CheckpointError: The checkpoint is missing, incomplete or altered, has an unknown format, or contains objects
            that could run code.
    """
    try:
        content = path.read_bytes()
        expected = checksum_of(path).read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"no finished checkpoint at {path}: {Path(error.filename).name} is missing") from error
    if sha256_of(content).encode() != expected:
        raise CheckpointError(f"{path} does not match its checksum; use an earlier checkpoint")
    state = _data_in(content, path)
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} contains {type(state).__name__}, not the state of a run")
    if (found := state.pop(FORMAT_KEY, FORMAT)) != FORMAT:
        raise CheckpointError(
            f"{path} has format {found}, and this version of cs-kd-study reads {FORMAT}; update cs-kd-study"
        )
    return state


def _data_in(content: bytes, path: Path) -> Any:
    """Returns the content of a file of ``torch.save`` if it is only data; refuses torch's older plain pickles."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise _more_than_data(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # torch warns about files that are refused below
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except UnpicklingError as error:  # torch's message explains how to run the file's code
        raise _more_than_data(path) from error
    except Exception as error:
        raise CheckpointError(f"{path} cannot be read as tensors and numbers: {error}".splitlines()[0]) from error


def _more_than_data(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be read as tensors and numbers: it contains objects that could run code; nothing was loaded; "
        "use a checkpoint written by cs-kd-study"
    )


def load_newest(directory: Path, at_most: int | None = None) -> dict[str, Any] | None:
    """Loads the newest intact checkpoint up to epoch ``at_most``; returns None if there is none."""
    for path in generations(directory):
        if at_most is not None and path.name > path_of(directory, at_most).name:
            continue
        try:
            return load(path)
        except CheckpointError:
            continue
    return None


def snapshot(value: Any) -> Any:
    """Copies a nested state to the CPU, so that training can continue while it is written."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: snapshot(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(snapshot(item) for item in value)
    return value


class CheckpointWriter:
    """Writes checkpoints of a run in a background thread, one at a time, and keeps the last two complete ones.

    Args:
        directory: Folder of the checkpoints.
        publish: Callback for each complete checkpoint; called in the thread, before the next one is written.
    """

    def __init__(self, directory: Path, publish: Callable[[Path], None] | None = None) -> None:
        self._directory = directory
        self._publish = publish
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def write(self, epoch: int, state: dict[str, Any]) -> None:
        """Waits for the previous checkpoint, then starts to write the state after ``epoch`` epochs.

        Raises:
            Exception: Error that prevented the previous checkpoint, such as OSError on a full disk.
        """
        self.wait()
        copy = snapshot(state)
        self._thread = threading.Thread(target=self._write, args=(epoch, copy), name="checkpoint", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Waits until no checkpoint is being written.

        Raises:
            Exception: Error that prevented the last checkpoint, such as OSError on a full disk.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _write(self, epoch: int, state: dict[str, Any]) -> None:
        try:
            path = path_of(self._directory, epoch)
            save(path, state)
            if self._publish is not None:
                self._publish(path)
            self._delete_old()
        except Exception as error:  # ``wait`` raises it; an exception in a thread would be lost
            self._error = error

    def _delete_old(self) -> None:
        finished = [path for path in generations(self._directory) if checksum_of(path).exists()]
        for path in finished[GENERATIONS:]:
            checksum_of(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
