"""The command line's work as Python functions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from study import config as study_config
from study import directory as study_directory
from study import provenance
from study.errors import StudyDirectoryError, UsageError
from study.runner import Ending, Until, run
from trainables.splits import split_training

if TYPE_CHECKING:
    from study.directory import Study
    from trainables.tune import StudyTrainable


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
    split = split_digest(config)  # before anything is made: data that is missing or unfit is said at once
    directory = study_directory.create(config, storage.expanduser().absolute())
    with study_directory.open_study(directory) as study:
        study.store.set_study_attribute("split_digest", split)
        ending = run(study, console or Console(), action="launch", address=address, until=until, trainable=trainable)
    return directory, ending


def resume(
    directory: Path,
    *,
    trials: int | None = None,
    address: str | None = None,
    until: Until = "confirm",
    allow_changed: bool = False,
    action: str = "resume",
    console: Console | None = None,
    trainable: type[StudyTrainable] | None = None,
) -> Ending:
    """Goes on with a study where it stopped, or extends one that has ended.

    Args:
        directory: The study directory.
        trials: Search trials in total from now on; None leaves the number.
        allow_changed: Go on although code or data are not those that the study began with.
        action: For the provenance.
        address: Of Ray; see ``study.environment.ray_connection``.
        until: ``search`` leaves the confirmation, and so the test set, for later.
        console: Where progress is shown; standard output by default.
        trainable: Ray's side of a trial, for tests.

    Raises:
        CskdError: Something the user can act on; see ``study.errors``.
    """
    with study_directory.open_study(directory) as study:
        allowed = _allow_changes(study, allow_changed=allow_changed)
        if trials is not None:
            _extend(study, trials)
        return run(
            study,
            console or Console(),
            action=action,
            address=address,
            until=until,
            allowed=allowed,
            trainable=trainable,
        )


def _extend(study: Study, trials: int) -> None:
    existing = len(study.store.trials("search"))
    if trials < existing:
        raise UsageError(f"--trials {trials}: the study has {existing} search trials already; give the new total")
    study.store.set_study_attribute("trials", trials)


def split_digest(config: study_config.StudyConfig) -> str:
    """Digest of the data and its validation split.

    Raises:
        DataError: The data is missing, damaged or unfit for class pairs.
    """
    return split_training(config.dataset.training_images(), config.dataset.validation).digest


def _allow_changes(study: Study, *, allow_changed: bool) -> list[str]:
    changed = []
    launch_note = next(iter(provenance.notes(study.directory)), None)
    if launch_note is not None and launch_note["digests"]["code"] != provenance.code_digest():
        changed.append("code")
    split, began = split_digest(study.config), study.store.attribute("split_digest")
    if began is None:  # killed before it was noted
        study.store.set_study_attribute("split_digest", split)
    elif began != split:
        changed.append("data")
    if changed and not allow_changed:
        raise StudyDirectoryError(
            f"{study.directory}: {' and '.join(changed)} changed since the study began, so its trials would not be "
            "comparable; go back to what it began with, or give --allow-changed"
        )
    return changed
