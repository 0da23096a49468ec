"""Errors whose message says in one line what is wrong, where, and what to do."""


class CskdError(Exception):
    """Base of the errors that end a command with one line and a documented exit code.

    The codes follow BSD's ``sysexits.h``; subclasses set ``exit_code``.
    """

    exit_code = 70


class ConfigError(CskdError):
    """A configuration or a command is invalid, or names something that does not exist."""

    exit_code = 64


class DataError(CskdError):
    """Data on disk is missing, damaged or unsuitable for the method."""

    exit_code = 65


class CheckpointError(CskdError):
    """A checkpoint is missing, damaged or belongs to another model."""

    exit_code = 65


class SupersededError(CskdError):
    """A later attempt of the run has started, so this worker must not write anything more."""


class PreemptedError(CskdError):
    """The node of this worker is about to be removed; the progress of the run has been saved."""


class UnfitNodeError(CskdError):
    """The node cannot run trials of the study: its code differs, or it does not see the study directory."""

    exit_code = 69


class ObjectStoreError(OSError):
    """An object store does not respond, or refuses a request; the run is retried, as after any disk error."""

    exit_code = 69


class TestSetClosedError(CskdError):
    """Test data was requested without an access that records the reading in the ledger."""

    __test__ = False  # the name begins with Test; pytest must not collect it
