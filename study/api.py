"""The command line's work as Python functions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from rich.console import Console

from analysis.findings.best_config import winner_config
from analysis.records.result_files import read
from study.definition import loading
from study.definition.study_config import StudyConfig
from study.driver.comparability import allow_changes, check_data
from study.driver.runner import Ending, Until, run
from study.errors import HeldError, UsageError
from study.outcome import result_files
from study.phases import limits
from study.phases.sequence import phases_of
from study.search.halving import points_of
from study.state import database, database_copies, lease, run_collection
from study.state import directory as study_directory
from study.state.attribute_names import StudyAttribute
from study.state.optuna_store import PHASES
from study.tracking.tracker import open_mirror
from study.views import status
from study.views.data_progress import bring
from trainables.errors import CskdError

if TYPE_CHECKING:
    from analysis.records import result_files as records
    from trainables.tune import StudyTrainable

Synced = Literal["rebuilt", "kept by the driver", "not tracked"]


class Study:
    """A study in a script or a notebook.

    What a command of ``cskd`` says in one line and an exit code is an exception here: a ``CskdError`` of
    ``study.errors``.

    Args:
        config: What it is.
        directory: Where it is; None before its launch.

    Example:
        >>> study = Study.preset("digits", {"search.trials": 8})
        >>> study.config.method.part_name()
        'cs_kd'
    """

    def __init__(self, config: StudyConfig, directory: Path | None = None) -> None:
        self.config = config
        self._directory = directory

    @classmethod
    def from_file(cls, path: str | Path, overrides: Mapping[str, Any] | None = None) -> Study:
        """A study that a file describes; ``overrides`` are ``key.path`` to value."""
        return cls(loading.load(path, overrides))

    @classmethod
    def preset(cls, name: str, overrides: Mapping[str, Any] | None = None) -> Study:
        """A study that comes with the package; ``cskd presets`` lists them."""
        return cls(loading.load(name, overrides))

    @classmethod
    def open(cls, directory: str | Path) -> Study:
        """A study that was launched before."""
        folder = Path(directory).expanduser().absolute()
        return cls(study_directory.read_config(folder), folder)

    @property
    def directory(self) -> Path:
        """Where the study is.

        Raises:
            UsageError: It has not been launched.
        """
        if self._directory is None:
            raise UsageError(f"{self.config.name} has not been launched: it has no directory yet")
        return self._directory

    def launch(self, storage: str | Path = "runs", **options: Any) -> Ending:
        """Runs the study below a folder, to its end; ``options`` are those of ``launch``."""
        self._directory = Path(storage).expanduser().absolute() / self.config.name
        _, ending = launch(self.config, Path(storage), **options)
        return ending

    def resume(self, **options: Any) -> Ending:
        """Goes on where it stopped, or extends it; ``options`` are those of ``resume``."""
        return resume(self.directory, **options)

    def status(self) -> dict[str, Any]:
        """Counts by phase and state, and the best trial so far; while it runs, too."""
        with study_directory.open_study(self.directory) as opened:
            return status.describe(opened)

    def results(self) -> records.Results:
        """Data frames ``trials``, ``epochs`` and ``confirmations``, and ``study`` with all settings and digests."""
        return read(self.directory / "results")

    def best_config(self) -> dict[str, Any]:
        """The winner's configuration and numbers, as ``cskd export --format json`` prints them."""
        return winner_config(self.results())


def launch(
    source: str | Path | StudyConfig,
    storage: Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    address: str | None = None,
    until: Until = "confirm",
    console: Console | None = None,
    events: TextIO | None = None,
    trainable: type[StudyTrainable] | None = None,
) -> tuple[Path, Ending]:
    """Creates a study and runs it to its end.

    Args:
        source: A study file, a preset's name, or a configuration.
        storage: Folder in which the study directory is made.
        overrides: ``key.path`` to value, applied to the study file.
        address: Of Ray; see ``study.cluster.connection.ray_connection``.
        until: ``search`` leaves the confirmation, and so the test set, for later.
        console: Where progress is shown; standard output by default.
        events: Where what happens is written as JSON lines; see ``study.views.events``.
        trainable: Ray's side of a trial, for tests.

    Returns:
        The study directory, and how the run ended.

    Raises:
        CskdError: Something the user can act on; see ``study.errors``.
    """
    config = source if isinstance(source, StudyConfig) else loading.load(source, overrides)
    storage = storage.expanduser().absolute()
    study_directory.refuse_existing(config, storage)
    run_collection.require(config.artifacts)
    bring(config.dataset, console or Console())
    digests = check_data(config)  # before anything is made: data that is missing or unfit is said at once
    directory = study_directory.create(config, storage)
    with lease.lease(directory), study_directory.open_study(directory) as study:
        for key, value in digests.items():
            study.store.set_study_attribute(key, value)
        try:
            ending = run(
                study,
                console or Console(),
                action="launch",
                address=address,
                until=until,
                events=events,
                trainable=trainable,
            )
        except CskdError:
            if not any(study.store.trials(phase) for phase in PHASES):
                study_directory.discard(study)
            raise
    return directory, ending


def resume(
    directory: Path,
    *,
    trials: int | None = None,
    more_hours: float = 0.0,
    address: str | None = None,
    until: Until | None = None,
    allow_changed: bool = False,
    action: str = "resume",
    console: Console | None = None,
    events: TextIO | None = None,
    trainable: type[StudyTrainable] | None = None,
) -> Ending:
    """Goes on with a study where it stopped, or extends one that has ended.

    Args:
        directory: The study directory.
        trials: Search trials in total from now on; None leaves the number.
        more_hours: Added to the hours and the device hours of the study's budget.
        allow_changed: Go on although code or data are not those that the study began with.
        action: For the provenance.
        address: Of Ray; see ``study.cluster.connection.ray_connection``.
        until: ``search`` leaves the confirmation, and so the test set, for later; None keeps what launch was told.
        console: Where progress is shown; standard output by default.
        events: Where what happens is written as JSON lines; see ``study.views.events``.
        trainable: Ray's side of a trial, for tests.

    Raises:
        CskdError: Something the user can act on; see ``study.errors``.
    """
    run_collection.require(study_directory.read_config(directory).artifacts)
    console = console or Console()
    with lease.lease(directory), _mended(directory, console), study_directory.open_study(directory) as study:
        bring(study.config.dataset, console)
        allowed = allow_changes(study, allow_changed=allow_changed)
        if trials is not None:
            _extend(study, trials)
        if more_hours and study.config.search.budget.hours is None and study.config.search.budget.device_hours is None:
            raise UsageError(
                f"--more-hours {more_hours:g}: the study has no budget in hours, so it never runs out of them"
            )
        limits.ask_anew(study.store, more_hours)
        return run(
            study,
            console,
            action=action,
            address=address,
            until=until or study.store.attribute(StudyAttribute.UNTIL) or "confirm",
            allowed=allowed,
            events=events,
            trainable=trainable,
        )


@contextlib.contextmanager
def _mended(directory: Path, console: Console) -> Iterator[None]:
    """Mends a damaged database before it is opened, and says so."""
    said = database_copies.mend(directory / database.FILE_NAME)
    if said is not None:
        console.print(said, highlight=False, markup=False, soft_wrap=True)
    yield


def sync(directory: Path) -> tuple[records.Results, Synced]:
    """Rebuilds what is derived from a study's truth: the result files, the report and the runs in MLflow.

    Returns:
        The results, and what became of the runs in MLflow.

    Raises:
        ServiceError: MLflow does not answer; the files are written all the same.
    """
    with contextlib.ExitStack() as stack:
        study = stack.enter_context(study_directory.open_study(directory))
        held = False
        try:
            stack.enter_context(lease.lease(directory))
        except HeldError:
            held = True
        if not held:
            _fetch(study)
        if held or not study.config.tracking.enabled:
            return result_files.project(study), "kept by the driver" if study.config.tracking.enabled else "not tracked"
        return _rebuild(study), "rebuilt"


def _fetch(study: study_directory.Study) -> None:
    """Brings what workers have left in an object store since a driver last looked."""
    for phase in phases_of(study):
        for trial in study.store.trials(phase.name):
            run_collection.collect(phase.assignment(trial))


def _rebuild(study: study_directory.Study) -> records.Results:
    try:
        mirror = open_mirror(study)
        mirror.verify(live=False)
        mirror.bring_up_to_date(live=False)
    finally:
        written = result_files.project(study)
    mirror.bring_up_to_date(live=False)  # with what the results just written say of the winner
    mirror.upload_files()
    return written


def _extend(study: study_directory.Study, trials: int) -> None:
    existing = len(points_of(study.store.trials("search")))
    if trials < existing:
        raise UsageError(f"--trials {trials}: the study has {existing} search trials already; give the new total")
    study.store.set_study_attribute(StudyAttribute.TRIALS, trials)
