"""Runs a user-defined command when a study's driver ends."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from study.errors import UsageError
from study.state.directory import open_study
from study.views import status

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_SECONDS = 60


def parse(command: str | None) -> list[str] | None:
    """Splits a command line into program and arguments; None stays None.

    Raises:
        UsageError: A quotation mark is not closed, or the command is empty.
    """
    if command is None:
        return None
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--notify {command}: {error}") from error
    if not arguments:
        raise UsageError("--notify: give a command, such as --notify 'mail -s cskd me@example.org'")
    return arguments


@contextlib.contextmanager
def notified(command: list[str] | None, directory: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Runs a command when the block ends, with or without an error.

    The command reads the output of ``cskd status --json`` from its standard input. If it fails, the failure is reported
    and has no other effect.

    Args:
        command: Program and arguments; None runs nothing.
        directory: The study directory.
        say: Function that reports a failure to the user.
    """
    try:
        yield
    finally:
        if command is not None and directory.exists():
            _run(command, directory, say)


def _run(command: list[str], directory: Path, say: Callable[[str], None]) -> None:
    try:
        with open_study(directory) as study:
            described = json.dumps(status.describe(study))
        subprocess.run(command, input=described, text=True, timeout=PATIENCE_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        say(f"--notify {shlex.join(command)}: {error}")
