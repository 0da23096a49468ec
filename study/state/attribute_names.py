"""Names of the attributes of studies and trials in the database.

The names are part of the file format: databases of earlier versions contain them.
"""

from enum import StrEnum
from typing import Literal


class StudyAttribute(StrEnum):
    """Attribute of a study, stored with the Optuna study of its search."""

    IDENTITY = "identity"
    """Random hexadecimal digits that distinguish this study from others of the same name."""
    UNTIL = "until"
    """Last phase that the latest driver runs: ``search`` or ``confirm``."""
    TRIALS = "trials"
    """Number of trials of an extended search; if unset, that of the study file."""
    SPLIT_DIGEST = "split_digest"
    DATA_DIGEST = "data_digest"
    EXCLUDED_NODES = "left_out"
    """Nodes that the latest driver excluded, each with the reason."""
    PACKING = "packing"
    """Measured throughput of several trials on one GPU, by kind of GPU."""
    GPU_SHARE = "gpu_share"
    """Share of a GPU, in (0, 1], that each run of the latest driver uses."""
    DRIVER_SECONDS = "driver_seconds"
    """Wall time of all drivers so far, in seconds."""
    HOURS_GRANTED = "hours_granted"
    """Hours that resumes have added to the budget."""
    TRUSTED_FROM = "trusted_from"
    """Number of the first search trial that the latest budget decision counts."""
    SEARCH_OVER = "search_over"
    """Reason why the search ended early, and the number of its runs."""
    RACE_OVER = "race_over"
    CONFIRM_OVER = "confirm_over"

    @classmethod
    def over(cls, phase: Literal["controls", "search", "race", "confirm"]) -> "StudyAttribute":
        """Returns the attribute that holds why a phase ended early."""
        return cls(f"{phase}_over")


class TrialAttribute(StrEnum):
    """Attribute of a trial, a control, a race run or a confirmation run."""

    ATTEMPT = "attempt"
    """Number of the attempt, from 1."""
    FAILURES = "failures"
    """Number of failed attempts."""
    ERROR = "error"
    """Reason why the trial failed."""
    ARM = "arm"
    """Arm of a run of the race or the confirmation, such as ``search/7``."""
    SEED = "seed"
    """Training seed of a run of the race or the confirmation."""
    EPOCHS = "epochs"
    """Number of epochs of a shortened schedule (halving); if unset, that of the study."""
    PROMOTED_FROM = "promoted_from"
    """Number of the trial with the same point at the rung below (halving)."""
    REUSED_FROM = "reused_from"
    """Study, phase and number of the run whose epochs this trial reuses."""
