"""Exceptions of the package ``study``, each with the exit code of the command that raises it."""

from analysis.words.safe_text import safe_line
from trainables.errors import CskdError


class StudyFileError(CskdError):
    """The study file is invalid, or names something that does not exist.

    Args:
        mistakes: One line per mistake.
    """

    exit_code = 64

    def __init__(self, *mistakes: str) -> None:
        self.mistakes = [safe_line(mistake) for mistake in mistakes]
        super().__init__("\n".join(self.mistakes))


class UsageError(CskdError):
    """The command cannot be carried out with the given arguments or environment."""

    exit_code = 64


class StudyDirectoryError(CskdError):
    """The directory holds no study, or another study."""

    exit_code = 64


class CannotCreateError(CskdError):
    """A file or directory cannot be created."""

    exit_code = 73


class ServiceError(CskdError):
    """Ray, a database or another service cannot be reached."""

    exit_code = 69


class HeldError(CskdError):
    """Another driver works on this study; try again later."""

    exit_code = 75


class NothingSucceededError(CskdError):
    """Every trial failed."""

    exit_code = 1
