"""Names of the attributes that the database keeps for studies and trials.

Names are part of the format: databases of earlier versions hold them.
"""

from enum import StrEnum
from typing import Literal


class StudyAttribute(StrEnum):
    """An attribute of a study, kept with the study of its search."""

    IDENTITY = "identity"
    """Random hexadecimal digits that tell this study from others of its name."""
    UNTIL = "until"
    """Last phase that the latest driver carries out: ``search`` or ``confirm``."""
    TRIALS = "trials"
    """Trials of an extended search; unset, the study file's number holds."""
    SPLIT_DIGEST = "split_digest"
    DATA_DIGEST = "data_digest"
    EXCLUDED_NODES = "left_out"
    """Nodes that the latest driver excluded, each with the reason."""
    PACKING = "packing"
    """Measured throughput of several trials on one GPU, by kind of GPU."""
    GPU_SHARE = "gpu_share"
    """Share of a GPU, in (0, 1], that each run of the latest driver has."""
    DRIVER_SECONDS = "driver_seconds"
    """Wall time of all drivers so far."""
    HOURS_GRANTED = "hours_granted"
    """Hours that resumes added to the budget."""
    TRUSTED_FROM = "trusted_from"
    """Number of the first search trial that the latest budget decision counts."""
    SEARCH_OVER = "search_over"
    """Why the search ended early, with the number of its runs."""
    RACE_OVER = "race_over"
    CONFIRM_OVER = "confirm_over"

    @classmethod
    def over(cls, phase: Literal["controls", "search", "race", "confirm"]) -> "StudyAttribute":
        """The attribute that says why a phase ended early."""
        return cls(f"{phase}_over")


class TrialAttribute(StrEnum):
    """An attribute of a trial, control, race run or confirmation run."""

    ATTEMPT = "attempt"
    """Number of the attempt, from 1."""
    FAILURES = "failures"
    """Attempts that failed."""
    ERROR = "error"
    """Why the trial failed."""
    ARM = "arm"
    """Arm that a run of the race or the confirmation belongs to, such as ``search/7``."""
    SEED = "seed"
    """Training seed of a run of the race or the confirmation."""
    EPOCHS = "epochs"
    """Length of a shortened schedule (halving); unset, the study's."""
    PROMOTED_FROM = "promoted_from"
    """Number of the trial that had this point at the rung below (halving)."""
    REUSED_FROM = "reused_from"
    """Study, phase and number of the run whose epochs this trial took over."""
