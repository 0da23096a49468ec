"""Database of a study: an Optuna storage that only the driver writes.

Search trials, controls, race runs and confirmation runs are stored in sibling Optuna studies, because trials with other
parameters would remove the search's parameters from the sampler's space. Epochs are stored in the run directories
(``trainables.runs.run_directory``).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy.exc
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL

from analysis.words.safe_text import without_password
from study.errors import ServiceError
from study.state import database, database_copies
from study.state.attribute_names import StudyAttribute, TrialAttribute
from trainables.files.faultpoints import faultpoint
from trainables.runs.run_key import PhaseName

PHASES: tuple[PhaseName, ...] = ("controls", "search", "race", "confirm")
FOLDERS: Mapping[str, str] = {"search": "trials", "controls": "controls", "race": "race", "confirm": "confirm"}
METRIC_NAMES = "study:metric_names"

optuna.logging.set_verbosity(optuna.logging.WARNING)


class TrialStore:
    """Trials of one study, by phase and number.

    Args:
        place: Path of the SQLite file, created if missing; or URL of a database.
        name: Name of the study.
        directions: Direction of each objective.
        metrics: Names of the objectives, shown by Optuna's tools.
        phases: Phases of the study. Other phases have no trials, and no Optuna study is created for them.

    Raises:
        ServiceError: The database stays locked or cannot be read.
    """

    def __init__(
        self,
        place: Path | URL,
        name: str,
        *,
        directions: Sequence[StudyDirection],
        metrics: Sequence[str] = (),
        phases: Sequence[PhaseName] = PHASES,
    ) -> None:
        self._url = place if isinstance(place, URL) else database.file_url(place)
        with self._translated(), contextlib.ExitStack() as cleanup:
            self._database = _connected(self._url)
            cleanup.callback(self._database.engine.dispose)
            # Caches finished trials, so that a long study is not read again for each suggestion.
            self._storage = optuna.storages.get_storage(self._database)
            self._studies = {phase: self._study_id(_study_name(name, phase), directions) for phase in phases}
            self._name_metrics(metrics)
            cleanup.pop_all()

    def begin(
        self,
        phase: PhaseName,
        parameters: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[TrialAttribute, Any],
    ) -> FrozenTrial:
        """Adds a running trial in one write; its number is the next of its phase.

        Args:
            phase: Phase of the trial.
            parameters: Values of the searched parameters.
            distributions: Search spaces of these parameters.
            attributes: Further attributes of the trial.
        """
        running = FrozenTrial(
            number=-1,
            trial_id=-1,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=datetime.now(),
            datetime_complete=None,
            params=dict(parameters),
            distributions=dict(distributions),
            user_attrs={str(TrialAttribute.ATTEMPT): 1} | {str(key): value for key, value in attributes.items()},
            system_attrs={},
            intermediate_values={},
        )
        with self._changing():
            trial_id = self._storage.create_new_trial(self._studies[phase], template_trial=running)
            faultpoint("store: trial begun")
            return self._storage.get_trial(trial_id)

    def trials(self, phase: PhaseName) -> list[FrozenTrial]:
        """Returns all trials of a phase, sorted by number. Later calls share the objects; do not change them."""
        if phase not in self._studies:
            return []
        with self._translated():
            # Without deepcopy=False, Optuna would deep-copy every trial on each call.
            found = self._storage.get_all_trials(self._studies[phase], deepcopy=False)
            return sorted(found, key=lambda trial: trial.number)

    def running(self, phase: PhaseName) -> list[FrozenTrial]:
        """Returns the trials without a final state, sorted by number."""
        return [trial for trial in self.trials(phase) if not trial.state.is_finished()]

    def set_attribute(self, trial: FrozenTrial, key: TrialAttribute, value: Any) -> None:
        """Sets an attribute of a trial that has no final state."""
        with self._changing():
            self._storage.set_trial_user_attr(trial._trial_id, str(key), value)

    def tell(
        self, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None, epoch: int, error: str | None
    ) -> None:
        """Sets the final state of a trial.

        Args:
            trial: Trial from ``begin`` or ``trials``.
            state: COMPLETE with values, PRUNED with the last values, or FAIL without values.
            values: Values of the objectives.
            epoch: Number of finished epochs. It is the step of the value of a single objective; Optuna stores no steps
                for several objectives.
            error: Reason why the trial failed.
        """
        with self._changing():
            if error is not None:
                self._storage.set_trial_user_attr(trial._trial_id, str(TrialAttribute.ERROR), error)
            if values is not None and len(values) == 1:
                self._storage.set_trial_intermediate_value(trial._trial_id, epoch, values[0])
            faultpoint("store: told the value, not the state")
            self._storage.set_trial_state_values(trial._trial_id, state, values)
            faultpoint("store: told the state")

    def report(self, trial: FrozenTrial, epoch: int, value: float) -> None:
        """Stores the objective of a running trial after an epoch, as Optuna's intermediate value."""
        with self._translated():
            self._storage.set_trial_intermediate_value(trial._trial_id, epoch, value)

    def attribute(self, key: StudyAttribute) -> Any:
        """Returns an attribute of the study, or None if it was never set."""
        with self._translated():
            return self._storage.get_study_user_attrs(self._studies["search"]).get(key)

    def set_study_attribute(self, key: StudyAttribute, value: Any) -> None:
        """Sets an attribute of the study."""
        with self._translated():
            self._storage.set_study_user_attr(self._studies["search"], str(key), value)

    def identity(self) -> str:
        """Returns the digits that distinguish this study from others of its name; creates them at the first call."""
        if self.attribute(StudyAttribute.IDENTITY) is None:
            self.set_study_attribute(StudyAttribute.IDENTITY, uuid.uuid4().hex)
        return str(self.attribute(StudyAttribute.IDENTITY))

    def claim(self, owner: str) -> bool:
        """Sets the owner of the study unless it has one; returns whether the owner is ``owner``."""
        if self.attribute(StudyAttribute.IDENTITY) is None:
            self.set_study_attribute(StudyAttribute.IDENTITY, owner)
        return bool(self.attribute(StudyAttribute.IDENTITY) == owner)

    def delete(self) -> None:
        """Deletes the study and all its trials from the database."""
        with self._translated():
            for study_id in self._studies.values():
                self._storage.delete_study(study_id)

    def close(self) -> None:
        """Closes the connections to the database."""
        self._storage.remove_session()
        self._database.engine.dispose()

    def _study_id(self, name: str, directions: Sequence[StudyDirection]) -> int:
        with contextlib.suppress(
            optuna.exceptions.DuplicatedStudyError
        ):  # another process created it at the same moment
            return self._storage.create_new_study(directions, name)
        return self._storage.get_study_id_from_name(name)

    def _name_metrics(self, metrics: Sequence[str]) -> None:
        """Stores the objectives' names for Optuna's dashboard, as ``optuna.study.Study.set_metric_names`` does."""
        for phase, study_id in self._studies.items():
            names = [name.replace("validation/", "test/", 1) if phase == "confirm" else name for name in metrics]
            if names and METRIC_NAMES not in self._storage.get_study_system_attrs(study_id):
                self._storage.set_study_system_attr(study_id, METRIC_NAMES, names)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Copies the SQLite file after a change."""
        with self._translated():
            yield
        if self._url.get_backend_name() == "sqlite":
            database_copies.update(Path(str(self._url.database)))

    def _translated(self) -> contextlib.AbstractContextManager[None]:
        return _translated(self._url)


def owner_of(place: URL, name: str) -> str | None:
    """Returns the owner of the study of a name in a database, or None without such a study or owner.

    Raises:
        ServiceError: The database cannot be reached or read.
    """
    with _translated(place):
        found = _connected(place)
        try:
            attributes = found.get_study_user_attrs(found.get_study_id_from_name(name))
        except KeyError:
            return None
        finally:
            found.engine.dispose()
    return attributes.get(StudyAttribute.IDENTITY)


class _Storage(optuna.storages.RDBStorage):
    """Optuna's storage, which also closes its connections if opening the database fails."""

    def __init__(self, url: str, engine_options: dict[str, Any]) -> None:
        try:
            super().__init__(url, engine_kwargs=engine_options)
        except Exception:
            if hasattr(self, "engine"):  # otherwise, there is no connection yet
                self.engine.dispose()
            raise


def _connected(place: URL) -> optuna.storages.RDBStorage:
    found = _Storage(place.render_as_string(hide_password=False), database.engine_options(place))
    if place.get_backend_name() != "sqlite":
        database.outlast_outages(found.engine)
    return found


@contextlib.contextmanager
def _translated(place: URL) -> Iterator[None]:
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = error.__cause__ or error
        if getattr(getattr(cause, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place.database) from error
        text = without_password(str(getattr(cause, "orig", None) or cause).splitlines()[0])
        cure = "" if place.get_backend_name() == "sqlite" else "; resume when it is back; `cskd doctor` checks it"
        raise ServiceError(f"study database {database.shown(place)}: {text}{cure}") from error


def rank_value(trial: FrozenTrial) -> float | None:
    """Returns the value of the objective that ranks trials, or None for a trial without values."""
    return trial.values[0] if trial.values else None


def _study_name(name: str, phase: PhaseName) -> str:
    return name if phase == "search" else f"{name}/{phase}"


def arm_and_seed(trial: FrozenTrial) -> tuple[str, int]:
    """Returns the arm, such as ``search/7``, and the training seed of a race or confirmation run."""
    return str(trial.user_attrs[TrialAttribute.ARM]), int(trial.user_attrs[TrialAttribute.SEED])
