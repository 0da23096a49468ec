"""Errors of the study level, each with its exit code (DESIGN: BSD's sysexits), and how they are told."""

import errno
import re
import shutil
from pathlib import Path

from trainables.errors import CskdError

INTERNAL = 70
LONGEST_LINE = 1000
HIDDEN = "…"


class StudyFileError(CskdError):
    """The study file is not one, or asks for something that does not exist.

    Args:
        mistakes: A line for each.
    """

    exit_code = 64

    def __init__(self, *mistakes: str) -> None:
        self.mistakes = [harmless(mistake) for mistake in mistakes]
        super().__init__("\n".join(self.mistakes))


class UsageError(CskdError):
    """The command cannot be carried out as it was given."""

    exit_code = 64


class StudyDirectoryError(CskdError):
    """The directory holds no study, or another one."""

    exit_code = 64


class CannotCreateError(CskdError):
    """A file or directory cannot be created."""

    exit_code = 73


class ServiceError(CskdError):
    """Ray or a database cannot be reached."""

    exit_code = 69


class HeldError(CskdError):
    """Another driver works on this study; try again later."""

    exit_code = 75


class NothingSucceededError(CskdError):
    """Every trial failed."""

    exit_code = 1


def code_and_lines(error: Exception) -> tuple[int, list[str]]:
    """Exit code and lines for any error that ends a command; only a study file with several mistakes has several.

    Our own errors bring both; typer's of wrong usage and the analysis package's are known by what they offer.
    """
    if isinstance(error, StudyFileError):
        return error.exit_code, error.mistakes
    code, line = _code_and_line(error)
    return code, [harmless(line)]


def without_password(text: str) -> str:
    """Text without the users and passwords of its URIs, and without secrets in their queries.

    Example:
        >>> without_password("http://me:secret@host:5000"), without_password("postgresql://host/db?password=p&a=b")
        ('http://…@host:5000', 'postgresql://host/db?password=…&a=b')
    """
    # To the last @ of the word, for a password may hold @ and / itself.
    text = re.sub(r"//\S*@", f"//{HIDDEN}@", text)
    return re.sub(r"(?i)((?:password|passwd|token|secret)=)[^&\s]*", rf"\1{HIDDEN}", text)


def harmless(text: str) -> str:
    r"""Text from outside as one line that a terminal only shows: escaped, without passwords, cut where it is very long.

    Example:
        >>> harmless("no such file: a\nb\x1b[31m"), harmless("postgresql://me:secret@host/db")
        ('no such file: a\\nb\\x1b[31m', 'postgresql://…@host/db')
    """
    from analysis.tables.table import escape  # here, because help must not load NumPy

    shown = escape(without_password(text))
    if len(shown) <= LONGEST_LINE:
        return shown
    return f"{shown[: 2 * LONGEST_LINE // 3]} … {shown[-LONGEST_LINE // 3 + 3 :]}"


def _room_left(error: OSError) -> str:
    if not isinstance(error.filename, str):
        return ""
    path = Path(error.filename)
    place = next((place for place in (path, *path.absolute().parents) if place.exists()), None)
    return "" if place is None else f", {shutil.disk_usage(place).free:,} bytes are free"


def _code_and_line(error: Exception) -> tuple[int, str]:
    code = getattr(error, "exit_code", INTERNAL)
    if isinstance(error, CskdError):
        return int(code), str(error)
    if hasattr(error, "format_message"):
        message = error.format_message().replace(": Value error, ", ": ")  # without words typer has printed the help
        command = getattr(getattr(error, "ctx", None), "command_path", "cskd")
        return 64, f"{message} (see `{command} --help`)" if message else "say what to do"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return 74, f"{error.filename or 'writing'}: {error.strerror}{_room_left(error)}; make room, then resume"
    if isinstance(code, int) and code != INTERNAL:
        return code, str(error)
    from trainables.interfaces import registry  # here, because help must not load pydantic

    if place := registry.place_in_user_part(error):
        return INTERNAL, f"{place}: {type(error).__name__}: {error}; that is a part of your own, see the lines above"
    return INTERNAL, f"internal error: {type(error).__name__}: {error}; please report it with the lines above"
