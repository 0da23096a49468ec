"""The Ray Tune trainable: one epoch a step, actors reused across trials; the only file here that knows Ray."""

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


class Demands(Protocol):
    """What a run asks of the node that it lands on."""

    def check(self) -> None:
        """Raises ``UnfitNodeError`` where the node is not fit."""


class Advancing(Protocol):
    """A run that goes on epoch by epoch."""

    def advance(self) -> Outcome | EpochRow:
        """Trains one epoch."""

    def close(self) -> None:
        """Ends the run early without losing what is done."""

    def leave(self) -> None:
        """Ends a run that nobody goes on with."""


class FinishedRun:
    """A run that an earlier attempt finished after its driver had gone: its outcome is taken over as it is."""

    def __init__(self, directory: RunDirectory, outcome: Outcome) -> None:
        self._directory = directory
        self._outcome = outcome

    def advance(self) -> Outcome:
        """Writes the outcome in the name of the present attempt."""
        self._directory.write_outcome(self._outcome)
        return self._outcome

    def close(self) -> None:
        """Nothing is open."""

    def leave(self) -> None:
        """Nothing is open."""


class StudyTrainable(Trainable):  # type: ignore[misc]
    """Runs the assignment in its configuration; our own checkpoints and retries replace Ray's.

    A run is opened by the first step, not before: Ray sets workers up for a trial that another worker, which came free
    in the meantime, then runs.

    What goes wrong is written into the run's outcome before it is raised, so that the driver can tell a lost worker
    from a wrong configuration.
    """

    _run: Advancing | None = None
    _files: RunDirectory | None = None
    _assignment: Assignment
    _demands: Demands | None = None

    def setup(self, config: dict[str, Any]) -> None:
        """Takes the first assignment."""
        import trainables.training.run  # noqa: F401 - loads torch while the worker starts

        self._take(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Takes the next assignment in the same process: nothing is imported or loaded again.

        A run that is still open was stopped by the scheduler; nobody will go on with it.
        """
        self._take(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Trains one epoch.

        Raises:
            UnfitNodeError: The run is not for this node; nothing was written here.
        """
        if self._run is None and self._demands is not None:
            self._demands.check()
        reported = self._guarded(self._advance)
        ended = isinstance(reported, Outcome)
        if ended:
            self._run = None
            self._discard_files()
        elif node_is_drained():
            self._guarded(self._give_way)
        return {"metrics": reported.metrics, "epoch": reported.epoch, "done": ended}

    def cleanup(self) -> None:
        """Keeps what an unfinished run has done."""
        if self._run is not None:
            self._run.close()
        self._discard_files()

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Nothing: a run keeps its own checkpoints."""
        del checkpoint_dir
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing: a run finds its own checkpoints."""

    def open_run(self, assignment: Assignment, files: RunDirectory) -> Advancing:
        """The run of an assignment, in its files; tests put a run without training here."""
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
            self._run.leave()
        self._run = None
        self._discard_files()
        self._assignment, self._demands = config["assignment"], config.get("demands")

    def _advance(self) -> Outcome | EpochRow:
        assignment, files = self._assignment, self._opened_files()
        with watched(files.hang_report(assignment.attempt), assignment.patience_seconds):
            if self._run is None:
                self._run = self._opened(files)
            return self._run.advance()

    def _give_way(self) -> None:
        """Saves what is done and leaves the node; the run is tried again elsewhere."""
        assert self._run is not None  # noqa: S101 - it has just finished an epoch
        self._run.close()
        raise PreemptedError("its node is being drained, so the run goes on elsewhere")

    def _opened(self, files: RunDirectory) -> Advancing:
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
    """Where a worker keeps a run's files: in the study's folder, or in a scratch folder and an object store."""
    if assignment.objects is None:
        return RunDirectory(assignment.directory)
    from trainables.files import scratch
    from trainables.files.object_store import ObjectStore
    from trainables.runs.mirrored_directory import MirroredRunDirectory
    from trainables.runs.run_objects import RunObjects

    return MirroredRunDirectory(scratch.folder(), RunObjects(ObjectStore(assignment.objects)), assignment.attempt)


def failure(error: Exception, attempt: int) -> Outcome:
    """The outcome of a run that raised: what failed, and the kind of error by which a retry is decided."""
    from trainables.training.run import describe_error

    return Outcome("failed", attempt, 0, error=describe_error(error), error_kind=kind_of(error))


def node_is_drained() -> bool:
    """Whether Ray is about to take this process's node away, as it does with preempted machines."""
    import ray
    from ray._private.state import state  # as Ray Serve does: there is no public way to ask

    return ray.is_initialized() and ray.get_runtime_context().get_node_id() in state.get_draining_nodes()


def kind_of(error: Exception) -> str:
    """``out_of_memory``, ``disk_full``, ``io``, ``preempted``, or the error's class, which is not tried again."""
    if isinstance(error, PreemptedError):
        return "preempted"
    text = str(error).lower()
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return "out_of_memory"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full"
    return "io" if isinstance(error, OSError) else type(error).__name__
