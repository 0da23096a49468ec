"""The command line's work as Python functions."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from study import config as study_config
from study import directory as study_directory
from study import lease, limits, provenance, results
from study.errors import HeldError, StudyDirectoryError, UsageError
from study.runner import Ending, Until, run
from study.store import PHASES
from study.tracker import open_mirror
from trainables.errors import CskdError
from trainables.splits import data_digest, split_training

if TYPE_CHECKING:
    from analysis import records
    from study.directory import Study
    from trainables.tune import StudyTrainable

Synced = Literal["rebuilt", "kept by the driver", "not tracked"]


def launch(
    source: str | Path | study_config.StudyConfig,
    storage: Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    address: str | None = None,
    until: Until = "confirm",
    console: Console | None = None,
    trainable: type[StudyTrainable] | None = None,
) -> tuple[Path, Ending]:
    """Creates a study and runs it to its end.

    Args:
        source: A study file, a preset's name, or a configuration.
        storage: Folder in which the study directory is made.
        overrides: ``key.path`` to value, applied to the study file.
        address: Of Ray; see ``study.environment.ray_connection``.
        until: ``search`` leaves the confirmation, and so the test set, for later.
        console: Where progress is shown; standard output by default.
        trainable: Ray's side of a trial, for tests.

    Returns:
        The study directory, and how the run ended.

    Raises:
        CskdError: Something the user can act on; see ``study.errors``.
    """
    config = source if isinstance(source, study_config.StudyConfig) else study_config.load(source, overrides)
    storage = storage.expanduser().absolute()
    study_directory.refuse_existing(config, storage)
    digests = check_data(config)  # before anything is made: data that is missing or unfit is said at once
    directory = study_directory.create(config, storage)
    with lease.lease(directory), study_directory.open_study(directory) as study:
        for key, value in digests.items():
            study.store.set_study_attribute(key, value)
        try:
            ending = run(
                study, console or Console(), action="launch", address=address, until=until, trainable=trainable
            )
        except CskdError:
            if not any(study.store.trials(phase) for phase in PHASES):
                shutil.rmtree(directory)  # nothing half-made stands in the way of the corrected launch
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
    trainable: type[StudyTrainable] | None = None,
) -> Ending:
    """Goes on with a study where it stopped, or extends one that has ended.

    Args:
        directory: The study directory.
        trials: Search trials in total from now on; None leaves the number.
        more_hours: Added to the hours and the device hours of the study's budget.
        allow_changed: Go on although code or data are not those that the study began with.
        action: For the provenance.
        address: Of Ray; see ``study.environment.ray_connection``.
        until: ``search`` leaves the confirmation, and so the test set, for later; None keeps what launch was told.
        console: Where progress is shown; standard output by default.
        trainable: Ray's side of a trial, for tests.

    Raises:
        CskdError: Something the user can act on; see ``study.errors``.
    """
    study_directory.read_config(directory)
    with lease.lease(directory), study_directory.open_study(directory) as study:
        allowed = _allow_changes(study, allow_changed=allow_changed)
        if trials is not None:
            _extend(study, trials)
        limits.ask_anew(study.store, more_hours)
        return run(
            study,
            console or Console(),
            action=action,
            address=address,
            until=until or study.store.attribute("until") or "confirm",
            allowed=allowed,
            trainable=trainable,
        )


def sync(directory: Path) -> tuple[records.Results, Synced]:
    """Rebuilds what is derived from a study's truth: the result files, the report and the runs in MLflow.

    Returns:
        The results, and what became of the runs in MLflow.

    Raises:
        ServiceError: MLflow does not answer; the files are written all the same.
    """
    with contextlib.ExitStack() as stack:
        study = stack.enter_context(study_directory.open_study(directory))
        if not study.config.tracking.enabled:
            return results.project(study), "not tracked"
        try:
            stack.enter_context(lease.lease(directory))
        except HeldError:
            return results.project(study), "kept by the driver"
        return _rebuild(study), "rebuilt"


def _rebuild(study: Study) -> records.Results:
    try:
        mirror = open_mirror(study)
        mirror.verify(live=False)
        mirror.bring_up_to_date(live=False)
    finally:
        written = results.project(study)
    mirror.bring_up_to_date(live=False)  # with what the results just written say of the winner
    mirror.upload_files()
    return written


def _extend(study: Study, trials: int) -> None:
    existing = len(study.store.trials("search"))
    if trials < existing:
        raise UsageError(f"--trials {trials}: the study has {existing} search trials already; give the new total")
    study.store.set_study_attribute("trials", trials)


def check_data(config: study_config.StudyConfig) -> dict[str, str]:
    """Reads the training part and checks that model and split fit it.

    Returns:
        Digests of the data and of the validation split.

    Raises:
        DataError: The data is missing, damaged or unfit for class pairs.
        ConfigError: The model takes images of another size.
        CheckpointError: A trained teacher is missing, damaged, or of other classes.
    """
    images = config.dataset.training_images()
    size = config.dataset.image_size(images)
    config.model.check_images(*size)
    for method in (config.method, *(config.control_config(number).method for number in range(len(config.controls)))):
        if method.pretrained() is not None:
            from trainables.pretrained import check_teacher

            check_teacher(method, images.classes, size)
    split = split_training(images, config.dataset.validation)
    return {"split_digest": split.digest, "data_digest": data_digest(images)}


def _allow_changes(study: Study, *, allow_changed: bool) -> list[str]:
    changed = []
    launch_note = next(iter(provenance.notes(study.directory)), None)
    if launch_note is not None and launch_note["digests"]["code"] != provenance.code_digest():
        changed.append("code")
    for key, now in check_data(study.config).items():
        began = study.store.attribute(key)
        if began is None:  # killed before it was noted
            study.store.set_study_attribute(key, now)
        elif began != now:
            changed.append("data" if key == "data_digest" else "validation split")
    if changed and not allow_changed:
        raise StudyDirectoryError(
            f"{study.directory}: {' and '.join(changed)} changed since the study began, so its trials would not be "
            "comparable; go back to what it began with, or give --allow-changed"
        )
    return changed
