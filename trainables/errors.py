"""Errors that a person can act on: one line that says what is wrong, where, and what to do."""


class CskdError(Exception):
    """Base of every error that ends a command with one line and a documented exit code.

    The codes follow BSD's ``sysexits.h``; subclasses set ``exit_code``.
    """

    exit_code = 70


class ConfigError(CskdError):
    """A configuration or a command asks for something that does not exist or cannot be."""

    exit_code = 64


class DataError(CskdError):
    """Data on disk is missing, damaged or unfit for the method."""

    exit_code = 65


class CheckpointError(CskdError):
    """A checkpoint is missing, damaged or belongs to another model."""

    exit_code = 65


class SupersededError(CskdError):
    """A later attempt works on this run: the driver gave this worker up, and it must write nothing more."""


class PreemptedError(CskdError):
    """The node of this worker is about to be taken away; what is done has been saved."""


class UnfitNodeError(CskdError):
    """This node must not run trials of the study: it has other code, or does not see the study directory."""

    exit_code = 69


class ObjectStoreError(OSError):
    """An object store does not answer, or refuses; a run that meets it is tried again, as after any error of a disk."""

    exit_code = 69


class TestSetClosedError(CskdError):
    """Code without a ledgered access asked for test data."""

    __test__ = False  # the name begins with Test; pytest must not collect it
