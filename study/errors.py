"""Errors of the study level, each with its exit code (DESIGN: BSD's sysexits)."""

import errno

from trainables.errors import CskdError

INTERNAL = 70


class StudyFileError(CskdError):
    """The study file is not one, or asks for something that does not exist."""

    exit_code = 64


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


def code_and_line(error: Exception) -> tuple[int, str]:
    """Exit code and line for any error that ends a command.

    Our own errors bring both; typer's of wrong usage and the analysis package's are known by what they offer.
    """
    code = getattr(error, "exit_code", INTERNAL)
    if isinstance(error, CskdError):
        return int(code), str(error)
    if hasattr(error, "format_message"):
        message = error.format_message()  # without words typer has printed the help
        return 64, f"{message} (see `cskd --help`)" if message else "say what to do"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return 74, f"{error.filename or 'writing'}: {error.strerror}; make room, then resume"
    if isinstance(code, int) and code != INTERNAL:
        return code, str(error)
    return INTERNAL, f"internal error: {type(error).__name__}: {error}; please report it with the lines above"
