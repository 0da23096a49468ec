"""Errors of the study level, each with its exit code (DESIGN: BSD's sysexits)."""

from trainables.errors import CskdError


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
