"""Maps the errors that end a command to exit codes (those of BSD's sysexits) and lines for the user."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from analysis.words.safe_text import safe_line
from study.errors import StudyFileError
from trainables.errors import CskdError

INTERNAL = 70


def code_and_lines(error: Exception) -> tuple[int, list[str]]:
    """Returns the exit code and the lines of an error; only a study file with several mistakes has several lines."""
    if isinstance(error, StudyFileError):
        return error.exit_code, error.mistakes
    code, line = _code_and_line(error)
    return code, [safe_line(line)]


def _code_and_line(error: Exception) -> tuple[int, str]:
    code = getattr(error, "exit_code", INTERNAL)
    if isinstance(error, CskdError):
        return int(code), str(error)
    if hasattr(error, "format_message"):  # an error of typer; its message is empty if typer has printed the help
        message = error.format_message().replace(": Value error, ", ": ")
        command = getattr(getattr(error, "ctx", None), "command_path", "cskd")
        return 64, f"{message} (see `{command} --help`)" if message else "give a command"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return 74, f"{error.filename or 'writing'}: {error.strerror}{_free_space(error)}; free some space, then resume"
    if isinstance(code, int) and code != INTERNAL:  # an error of the package analysis
        return code, str(error)
    from trainables.interfaces import registry  # imported here, because `cskd --help` must not load pydantic

    if place := registry.place_in_user_part(error):
        return INTERNAL, f"{place}: {type(error).__name__}: {error}; this part is user-defined, see the lines above"
    return INTERNAL, f"internal error: {type(error).__name__}: {error}; please report it with the lines above"


def _free_space(error: OSError) -> str:
    if not isinstance(error.filename, str):
        return ""
    path = Path(error.filename)
    existing = next((folder for folder in (path, *path.absolute().parents) if folder.exists()), None)
    return "" if existing is None else f", {shutil.disk_usage(existing).free:,} bytes are free"
