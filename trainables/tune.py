"""The Ray Tune trainable: one epoch per step, actors reused across trials. No other file in trainables imports Ray."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ray.tune import Trainable

from trainables.costs.watchdog import watched
from trainables.errors import PreemptedError
from trainables.runs.run_directory import Outcome, RunDirectory

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainables.runs.assignment import Assignment
    from trainables.runs.run_directory import EpochRow

Result = TypeVar("Result")

METRICS_PREFIX = "metrics/"  # Ray flattens the mapping that a step reports under "metrics"


class NodeRequirements(Protocol):
    """Requirements of a run on its node."""

    def check(self) -> None:
        """Checks this node.

        Raises:
            UnfitNodeError: The node does not meet the requirements.
        """


class RunByEpochs(Protocol):
    """A run that is trained epoch by epoch."""

    def advance(self) -> Outcome | EpochRow:
        """Trains one epoch; returns its row, or the outcome after the last one."""

    def close(self) -> None:
        """Stops the run and saves its progress, so that a later attempt can resume it."""

    def abandon(self) -> None:
        """Stops a run that will not be resumed."""


class FinishedRun:
    """A run that an earlier attempt finished without the driver noticing; its outcome is reused unchanged."""

    def __init__(self, directory: RunDirectory, outcome: Outcome) -> None:
        self._directory = directory
        self._outcome = outcome

    def advance(self) -> Outcome:
        """Writes the outcome under the number of the current attempt."""
        self._directory.write_outcome(self._outcome)
        return self._outcome

    def close(self) -> None:
        """Does nothing: the run holds no resources."""

    def abandon(self) -> None:
        """Does nothing: the run holds no resources."""


class StudyTrainable(Trainable):  # type: ignore[misc]
    """Trains the run that the trial's configuration assigns.

    Checkpoints and retries are those of this project, not Ray's. The first step opens the run, because Ray may set up
    a worker for a trial and then start the trial on another worker. An error is written into the run's outcome before
    it is raised, so that the driver can distinguish a lost worker from an invalid configuration.
    """

    _run: RunByEpochs | None = None
    _files: RunDirectory | None = None
    _assignment: Assignment
    _requirements: NodeRequirements | None = None

    def setup(self, config: dict[str, Any]) -> None:
        """Stores the first assignment."""
        import trainables.training.run  # noqa: F401 - imports torch while the worker starts

        self._take(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Stores the next assignment, so that the process is reused with its imports and data.

        A run that is still open was stopped by the scheduler and is abandoned.
        """
        self._take(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Trains one epoch.

        Raises:
            UnfitNodeError: The node does not meet the run's requirements; nothing was written on it.
        """
        if self._run is None and self._requirements is not None:
            self._requirements.check()
        reported = self._guarded(self._advance)
        ended = isinstance(reported, Outcome)
        if ended:
            self._run = None
            self._discard_files()
        elif node_is_drained():
            self._guarded(self._leave_node)
        return {"metrics": reported.metrics, "epoch": reported.epoch, "done": ended}

    def cleanup(self) -> None:
        """Saves the progress of an unfinished run."""
        if self._run is not None:
            self._run.close()
        self._discard_files()

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Returns an empty checkpoint: a run writes its own."""
        del checkpoint_dir
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Does nothing: a run loads its own checkpoints."""

    def open_run(self, assignment: Assignment, files: RunDirectory) -> RunByEpochs:
        """Opens the run of an assignment in its directory; tests override this with a run that does not train."""
        from trainables.training.run import Run

        return Run(
            assignment.config,
            files,
            attempt=assignment.attempt,
            test_access=assignment.access,
            test_each_epoch=assignment.test_each_epoch,
            keep_checkpoint=assignment.access is not None,
        )

    def _take(self, config: dict[str, Any]) -> None:
        if self._run is not None:
            self._run.abandon()
        self._run = None
        self._discard_files()
        self._assignment, self._requirements = config["assignment"], config.get("requirements")

    def _advance(self) -> Outcome | EpochRow:
        assignment, files = self._assignment, self._opened_files()
        with watched(files.hang_report(assignment.attempt), assignment.patience_seconds):
            if self._run is None:
                self._run = self._opened(files)
            return self._run.advance()

    def _leave_node(self) -> None:
        """Saves the run's progress and raises, so that the driver retries the run on another node."""
        assert self._run is not None  # noqa: S101 - it has just finished an epoch
        self._run.close()
        raise PreemptedError("its node is being drained; the run resumes on another node")

    def _opened(self, files: RunDirectory) -> RunByEpochs:
        files.restore()
        outcome = files.outcome()
        if outcome is not None and outcome.state == "finished":
            return FinishedRun(files, replace(outcome, attempt=self._assignment.attempt))
        return self.open_run(self._assignment, files)

    def _opened_files(self) -> RunDirectory:
        if self._files is None:
            self._files = files_of(self._assignment)
        return self._files

    def _discard_files(self) -> None:
        if self._files is not None:
            self._files.discard()
        self._files = None

    def _guarded(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except Exception as error:
            self._opened_files().write_outcome(failure(error, self._assignment.attempt))
            raise


def files_of(assignment: Assignment) -> RunDirectory:
    """Directory of a run's files: in the study directory, or in a scratch folder mirrored to an object store."""
    if assignment.objects is None:
        return RunDirectory(assignment.directory)
    from trainables.files import scratch
    from trainables.files.object_store import ObjectStore
    from trainables.runs.mirrored_directory import MirroredRunDirectory
    from trainables.runs.run_objects import RunObjects

    return MirroredRunDirectory(scratch.folder(), RunObjects(ObjectStore(assignment.objects)), assignment.attempt)


def failure(error: Exception, attempt: int) -> Outcome:
    """Outcome of a run that raised, with the message and the kind of the error, which decides whether it is retried."""
    from trainables.training.run import describe_error

    return Outcome("failed", attempt, 0, error=describe_error(error), error_kind=kind_of(error))


def node_is_drained() -> bool:
    """Whether Ray is draining the node of this process, as it does before a machine is preempted."""
    import ray
    from ray._private.state import state  # as in Ray Serve; there is no public API

    return ray.is_initialized() and ray.get_runtime_context().get_node_id() in state.get_draining_nodes()


def kind_of(error: Exception) -> str:
    """Kind of an error: ``out_of_memory``, ``disk_full``, ``io``, ``preempted``, or its class name.

    Errors of the last kind are not retried.
    """
    if isinstance(error, PreemptedError):
        return "preempted"
    text = str(error).lower()
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return "out_of_memory"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full"
    return "io" if isinstance(error, OSError) else type(error).__name__
