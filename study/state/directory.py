"""A study directory: created once, opened by every later command."""

from __future__ import annotations

import contextlib
import difflib
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL

from study.definition import loading, yaml_reader
from study.definition.study_config import StudyConfig
from study.errors import StudyDirectoryError
from study.machine import free_space
from study.machine.folders import make_directory
from study.state import database
from study.state.attribute_names import StudyAttribute
from study.state.lease import lease
from study.state.optuna_store import PHASES, Store, owner_of
from trainables.files.durable import write_atomic

if TYPE_CHECKING:
    from analysis.records.result_files import Results

STUDY_FILE = "study.yaml"
IDENTITY_FILE = ".identity"
BEST_CONFIG = "best_config.yaml"
REPORT = "report"
SHOWN = 5  # studies that a line names at most


@dataclass(frozen=True)
class Study:
    """An open study: its frozen configuration, its trials, its folder."""

    config: StudyConfig
    store: Store
    directory: Path

    @property
    def trials_wanted(self) -> int:
        """Search trials asked for: in the study file, or by a later extension."""
        return int(self.store.attribute(StudyAttribute.TRIALS) or self.config.search.trials)

    @property
    def identity(self) -> str:
        """What tells this study from others of its name; given when first asked for, which only drivers do."""
        return self.store.identity()


def create(config: StudyConfig, storage: Path) -> Path:
    """Makes the directory of a new study and freezes its resolved study file there.

    Raises:
        StudyDirectoryError: The directory, or its database, holds this study already, or another one of its name.
        CannotCreateError: It cannot be made.
        ServiceError: Its database cannot be reached.
        OSError: There is next to no room on its disk.
    """
    directory = refuse_existing(config, storage)
    _refuse_database(config, directory)
    free_space.require(directory)
    make_directory(directory)
    with lease(directory):
        refuse_existing(config, storage)  # two launches of one name at the same moment
        if config.database is not None and not (directory / IDENTITY_FILE).exists():
            write_atomic(directory / IDENTITY_FILE, uuid.uuid4().hex.encode())
        write_atomic(directory / STUDY_FILE, yaml_reader.dump_frozen(config.resolved()))
    return directory


def refuse_existing(config: StudyConfig, storage: Path) -> Path:
    """The directory that a new study would have.

    Raises:
        StudyDirectoryError: It holds this study already, or another one; the message shows the difference.
    """
    directory = storage / config.name
    if (directory / STUDY_FILE).exists():
        raise StudyDirectoryError(_already_there(read_config(directory), config, directory))
    return directory


def read_config(directory: Path) -> StudyConfig:
    """The frozen configuration of a study directory.

    Raises:
        StudyDirectoryError: There is no study.
    """
    path = directory / STUDY_FILE
    if not path.exists():
        raise StudyDirectoryError(f"{directory}: no study here{_instead(directory)}")
    return loading.build(yaml_reader.read(path, is_frozen=True), str(path))


def read_results(directory: Path) -> Results:
    """The result files of a study directory; they alone are enough, as on a laptop that has nothing else of the study.

    Raises:
        StudyDirectoryError: There is no study.
        ResultsError: They are missing or damaged.
    """
    from analysis.records import result_files  # loads pandas

    require_results(directory)
    return result_files.read(directory / "results")


def require_results(directory: Path) -> None:
    """Whether a directory holds a study, or result files of one.

    Raises:
        StudyDirectoryError: It does not; the message says what may have been meant.
    """
    if not (directory / "results").exists():
        read_config(directory)


@contextlib.contextmanager
def open_study(directory: Path) -> Iterator[Study]:
    """Opens the study of a directory.

    Raises:
        StudyDirectoryError: There is no study, or its database holds another one of its name.
        ServiceError: Its database cannot be read.
    """
    directory = directory.expanduser().absolute()
    config = read_config(directory)
    place = database.place_of(config.database, directory)
    phases = [phase for phase in PHASES if phase != "race" or config.confirm.race is not None]
    store = Store(place, config.name, directions=config.directions, metrics=config.search.objectives, phases=phases)
    try:
        if config.database is not None and not store.claim(_identity(directory)):
            raise StudyDirectoryError(_taken(config, place))
        yield Study(config, store, directory)
    finally:
        store.close()


def discard(study: Study) -> None:
    """Removes a study that has not begun, so that nothing half-made stands in the way of a corrected launch."""
    study.store.delete()
    shutil.rmtree(study.directory)


def studies_in(storage: Path) -> list[Path]:
    """Study directories in a storage folder, by name."""
    return sorted(path.parent for path in storage.glob(f"*/{STUDY_FILE}"))


def studies_below(folder: Path) -> list[Path]:
    """Study directories in the storage folders within a folder, by path."""
    return sorted(path.parent for path in folder.glob(f"*/*/{STUDY_FILE}"))


def _instead(directory: Path) -> str:
    """What a user who named a directory without a study may have meant."""
    if found := studies_in(directory) or studies_below(directory):
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        return f", but below it; name one of {', '.join(map(str, found[:SHOWN]))}{more}"
    above = next((place for place in list(directory.parents)[:2] if (place / STUDY_FILE).exists()), None)
    names = {path.name: path for path in studies_in(directory.parent)}
    near = above or next((names[name] for name in difflib.get_close_matches(directory.name, names, n=1)), None)
    if near is not None:
        return f"; did you mean {near}?"
    why = f"{STUDY_FILE} is missing" if directory.exists() else "there is no such folder"
    return f" ({why}); `cskd list --storage DIR` shows the studies of a folder"


def _refuse_database(config: StudyConfig, directory: Path) -> None:
    """Looks at what is to hold the trials, before anything is made."""
    place = database.place_of(config.database, directory)
    if config.database is None:
        database.refuse_network_file_system(directory)
    elif (owner := owner_of(place, config.name)) is not None and owner != _identity(directory):
        raise StudyDirectoryError(_taken(config, place))


def _identity(directory: Path) -> str:
    """What tells this directory's study from others in a database; empty before it is made."""
    path = directory / IDENTITY_FILE
    return path.read_text() if path.exists() else ""


def _taken(config: StudyConfig, place: URL) -> str:
    return (
        f"name: the database {database.shown(place)} holds another study {config.name!r}, of another directory; give "
        "yours another name"
    )


def _already_there(old: StudyConfig, new: StudyConfig, directory: Path) -> str:
    changes = _differences(old.resolved(), new.resolved())
    if not changes:
        return f"{directory}: holds this study already; go on with `cskd resume {directory}`"
    shown = "; ".join(changes[:5]) + (f"; and {len(changes) - 5} more" if len(changes) > 5 else "")
    return f"{directory}: holds another study of this name ({shown}); give yours another name or another --storage"


def _differences(old: Any, new: Any, path: str = "") -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [
            line
            for key in keys
            for line in _differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
        ]
    return [] if old == new else [f"{path}: {old} there, {new} here"]
