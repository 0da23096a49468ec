"""Python interface to studies: the class ``Study`` and the functions behind ``cskd``."""

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
from study.driver.runner import Driver, Ending, Until
from study.errors import HeldError, UsageError
from study.outcome import result_files
from study.phases import limits
from study.phases.sequence import phases_of
from study.search.halving import without_promotions
from study.state import database, database_copies, lease, run_collection
from study.state import directory as study_directory
from study.state.attribute_names import StudyAttribute
from study.state.optuna_store import PHASES
from study.tracking.tracking_thread import open_mirror
from study.views import status
from study.views.data_progress import fetch_with_progress
from trainables.errors import CskdError

if TYPE_CHECKING:
    from analysis.records.result_files import Results
    from trainables.tune import StudyTrainable

Synced = Literal["rebuilt", "kept by the driver", "not tracked"]


class Study:
    """A study, for use in a script or a notebook.

    Mistakes raise a ``CskdError`` of ``study.errors``, where ``cskd`` prints a line and exits with a code.

    Args:
        config: Configuration of the study.
        directory: Study directory; None before the launch.

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
        """Loads a study from a study file.

        Args:
            path: Path of the study file.
            overrides: Values by ``key.path``, applied to the study file.

        Raises:
            StudyFileError: The study file or an override has mistakes.
        """
        return cls(loading.load(path, overrides))

    @classmethod
    def preset(cls, name: str, overrides: Mapping[str, Any] | None = None) -> Study:
        """Loads a built-in study.

        Args:
            name: Name of the preset; ``cskd presets`` lists them.
            overrides: Values by ``key.path``, applied to the preset.

        Raises:
            StudyFileError: There is no such preset, or an override has mistakes.
        """
        return cls(loading.load(name, overrides))

    @classmethod
    def open(cls, directory: str | Path) -> Study:
        """Opens a study that has been launched.

        Raises:
            StudyDirectoryError: The directory contains no study.
        """
        folder = Path(directory).expanduser().absolute()
        return cls(study_directory.read_config(folder), folder)

    @property
    def directory(self) -> Path:
        """The study directory.

        Raises:
            UsageError: The study has not been launched.
        """
        if self._directory is None:
            raise UsageError(f"{self.config.name} has not been launched: it has no directory yet")
        return self._directory

    def launch(self, storage: str | Path = "runs", **options: Any) -> Ending:
        """Launches the study and runs it to its end.

        Args:
            storage: Folder in which the study directory is created.
            options: Keyword arguments of the function ``launch``.
        """
        self._directory = Path(storage).expanduser().absolute() / self.config.name
        _, ending = launch(self.config, Path(storage), **options)
        return ending

    def resume(self, **options: Any) -> Ending:
        """Resumes or extends the study.

        Args:
            options: Keyword arguments of the function ``resume``.
        """
        return resume(self.directory, **options)

    def status(self) -> dict[str, Any]:
        """Returns the number of runs by phase and state, and the best trial so far; also while the study runs."""
        with study_directory.open_study(self.directory) as opened:
            return status.describe(opened)

    def results(self) -> Results:
        """Reads the data frames ``trials``, ``epochs`` and ``confirmations``, and ``study`` with all settings."""
        return read(self.directory / "results")

    def best_config(self) -> dict[str, Any]:
        """Returns the winner's configuration and results, as ``cskd export --format json`` prints them."""
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
        source: Study file, name of a preset, or configuration.
        storage: Folder in which the study directory is created.
        overrides: Values by ``key.path``, applied to the study file.
        address: Address of Ray; see ``study.cluster.connection.ray_connection``.
        until: Last phase to run; ``search`` leaves the confirmation, and so the test set, for later.
        console: Console for progress; standard output by default.
        events: Stream for events as JSON lines; see ``study.views.events``.
        trainable: Trainable class that Ray runs; for tests.

    Returns:
        The study directory, and how the study ended.

    Raises:
        CskdError: An error that the user can act on; see ``study.errors``.
    """
    config = source if isinstance(source, StudyConfig) else loading.load(source, overrides)
    storage = storage.expanduser().absolute()
    study_directory.refuse_existing(config, storage)
    run_collection.require(config.artifacts)
    fetch_with_progress(config.dataset, console or Console())
    digests = check_data(config)  # fails before anything is created if data is missing or does not fit
    directory = study_directory.create(config, storage)
    with lease.lease(directory), study_directory.open_study(directory) as study:
        for key, value in digests.items():
            study.store.set_study_attribute(key, value)
        try:
            driver = Driver(
                study,
                console or Console(),
                address=address,
                until=until,
                events=events,
                trainable=trainable,
            )
            ending = driver.run("launch")
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
    """Resumes a study that was stopped, or extends one that has finished.

    Args:
        directory: Study directory.
        trials: New total number of search trials; None keeps the number.
        more_hours: Hours to add to the study's budget, to its hours and its device hours.
        allow_changed: Whether to continue if code or data have changed since the launch.
        action: Name of the action in the provenance record.
        address: Address of Ray; see ``study.cluster.connection.ray_connection``.
        until: Last phase to run; ``search`` leaves the confirmation, and so the test set, for later; None keeps the
            value given to ``launch``.
        console: Console for progress; standard output by default.
        events: Stream for events as JSON lines; see ``study.views.events``.
        trainable: Trainable class that Ray runs; for tests.

    Returns:
        How the study ended.

    Raises:
        CskdError: An error that the user can act on; see ``study.errors``.
    """
    run_collection.require(study_directory.read_config(directory).artifacts)
    console = console or Console()
    with lease.lease(directory), _repaired_database(directory, console), study_directory.open_study(directory) as study:
        fetch_with_progress(study.config.dataset, console)
        allowed = allow_changes(study, allow_changed=allow_changed)
        if trials is not None:
            _extend(study, trials)
        if more_hours and study.config.search.budget.hours is None and study.config.search.budget.device_hours is None:
            raise UsageError(f"--more-hours {more_hours:g}: the study has no budget in hours to extend")
        limits.reset(study.store, more_hours)
        driver = Driver(
            study,
            console,
            address=address,
            until=until or study.store.attribute(StudyAttribute.UNTIL) or "confirm",
            events=events,
            trainable=trainable,
        )
        return driver.run(action, allowed)


@contextlib.contextmanager
def _repaired_database(directory: Path, console: Console) -> Iterator[None]:
    """Restores a damaged database from its copy before it is opened, and reports that."""
    message = database_copies.restore(directory / database.FILE_NAME)
    if message is not None:
        console.print(message, highlight=False, markup=False, soft_wrap=True)
    yield


def sync(directory: Path) -> tuple[Results, Synced]:
    """Rebuilds result files, report and MLflow runs from the study's database.

    Args:
        directory: Study directory.

    Returns:
        The results, and whether the runs in MLflow were rebuilt.

    Raises:
        ServiceError: MLflow does not respond; the files are written nevertheless.
    """
    with contextlib.ExitStack() as stack:
        study = stack.enter_context(study_directory.open_study(directory))
        held = False
        try:
            stack.enter_context(lease.lease(directory))
        except HeldError:
            held = True
        if not held:
            _collect_remote_files(study)
        if held or not study.config.tracking.enabled:
            outcome: Synced = "kept by the driver" if study.config.tracking.enabled else "not tracked"
            return result_files.write_all(study), outcome
        return _rebuild(study), "rebuilt"


def _collect_remote_files(study: study_directory.OpenStudy) -> None:
    """Collects the files that workers wrote to the object store and no driver has collected."""
    for phase in phases_of(study):
        for trial in study.store.trials(phase.name):
            run_collection.collect(phase.assignment(trial))


def _rebuild(study: study_directory.OpenStudy) -> Results:
    try:
        mirror = open_mirror(study)
        mirror.verify(live=False)
        mirror.bring_up_to_date(live=False)
    finally:
        written = result_files.write_all(study)
    mirror.bring_up_to_date(live=False)  # the results just written name the winner
    mirror.upload_files()
    return written


def _extend(study: study_directory.OpenStudy, trials: int) -> None:
    existing = len(without_promotions(study.store.trials("search")))
    if trials < existing:
        raise UsageError(f"--trials {trials}: the study already has {existing} search trials; give the new total")
    study.store.set_study_attribute(StudyAttribute.TRIALS, trials)
