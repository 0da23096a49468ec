"""Tells a command of the user's that a study's driver has ended."""

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
    """The words of a command.

    Raises:
        UsageError: A quotation mark is not closed, or there is no word.
    """
    if command is None:
        return None
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--notify {command}: {error}") from error
    if not words:
        raise UsageError("--notify: give a command, such as --notify 'mail -s cskd me@example.org'")
    return words


@contextlib.contextmanager
def notified(words: list[str] | None, directory: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Runs the command when the block ends, however it ends.

    The command gets ``cskd status --json`` of the study on its standard input. What goes wrong with it is said and
    changes nothing.

    Args:
        words: The command; None for none.
        directory: The study directory.
        say: Where to say it.
    """
    try:
        yield
    finally:
        if words is not None and directory.exists():
            _tell(words, directory, say)


def _tell(words: list[str], directory: Path, say: Callable[[str], None]) -> None:
    try:
        with open_study(directory) as study:
            told = json.dumps(status.describe(study))
        subprocess.run(words, input=told, text=True, timeout=PATIENCE_SECONDS, check=True)  # noqa: S603 - the user's own
    except (OSError, subprocess.SubprocessError) as error:
        say(f"--notify {shlex.join(words)}: {error}")
