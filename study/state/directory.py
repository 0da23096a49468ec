"""Creates study directories and opens the studies in them."""

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
from study.state.optuna_store import PHASES, TrialStore, owner_of
from trainables.files.durable import write_atomic

if TYPE_CHECKING:
    from analysis.records.result_files import Results

STUDY_FILE = "study.yaml"
IDENTITY_FILE = ".identity"
BEST_CONFIG = "best_config.yaml"
REPORT = "report"
SHOWN = 5  # largest number of studies or differences in a message


@dataclass(frozen=True)
class OpenStudy:
    """An open study.

    Attributes:
        config: Frozen configuration of the study.
        store: Database of the study's trials.
        directory: Directory of the study.
    """

    config: StudyConfig
    store: TrialStore
    directory: Path

    @property
    def trials_wanted(self) -> int:
        """Number of search trials requested by the study file or a later extension."""
        return int(self.store.attribute(StudyAttribute.TRIALS) or self.config.search.trials)

    @property
    def identity(self) -> str:
        """Digits that distinguish this study from others of the same name; created at the first access."""
        return self.store.identity()


def create(config: StudyConfig, storage: Path) -> Path:
    """Creates the directory of a new study and writes its resolved study file, which never changes again.

    Args:
        config: Configuration of the study.
        storage: Folder of the study directories.

    Returns:
        The study directory.

    Raises:
        StudyDirectoryError: The directory or the database already holds this study, or another one of the same name.
        CannotCreateError: The directory cannot be created, or is on a network file system without a database server.
        ServiceError: The database cannot be reached.
        OSError: The disk has too little free space.
    """
    directory = refuse_existing(config, storage)
    _refuse_database(config, directory)
    free_space.require(directory)
    make_directory(directory)
    with lease(directory):
        refuse_existing(config, storage)  # again under the lock, against a simultaneous launch of the same name
        if config.database is not None and not (directory / IDENTITY_FILE).exists():
            write_atomic(directory / IDENTITY_FILE, uuid.uuid4().hex.encode())
        write_atomic(directory / STUDY_FILE, yaml_reader.dump_frozen(config.resolved()))
    return directory


def refuse_existing(config: StudyConfig, storage: Path) -> Path:
    """Returns the directory of a new study.

    Raises:
        StudyDirectoryError: The directory already holds this study, or another one; the message shows the differences.
    """
    directory = storage / config.name
    if (directory / STUDY_FILE).exists():
        raise StudyDirectoryError(_directory_is_taken(read_config(directory), config, directory))
    return directory


def read_config(directory: Path) -> StudyConfig:
    """Reads the frozen configuration of a study directory.

    Raises:
        StudyDirectoryError: The directory holds no study.
    """
    path = directory / STUDY_FILE
    if not path.exists():
        raise StudyDirectoryError(f"{directory}: no study here{_hint(directory)}")
    return loading.build(yaml_reader.read(path, is_frozen=True), str(path))


def read_results(directory: Path) -> Results:
    """Reads the result files of a study directory, which needs no other files of the study.

    Raises:
        StudyDirectoryError: The directory holds no study.
        ResultsError: The result files are missing or damaged.
    """
    from analysis.records import result_files  # loads pandas

    require_results(directory)
    return result_files.read(directory / "results")


def require_results(directory: Path) -> None:
    """Checks that a directory holds a study or its result files.

    Raises:
        StudyDirectoryError: The directory holds neither; the message suggests a directory.
    """
    if not (directory / "results").exists():
        read_config(directory)


@contextlib.contextmanager
def open_study(directory: Path) -> Iterator[OpenStudy]:
    """Opens the study of a directory and closes its database at the end.

    Raises:
        StudyDirectoryError: The directory holds no study, or the database holds another one of the same name.
        ServiceError: The database cannot be read.
    """
    directory = directory.expanduser().absolute()
    config = read_config(directory)
    url = database.url_of(config.database, directory)
    phases = [phase for phase in PHASES if phase != "race" or config.confirm.race is not None]
    store = TrialStore(url, config.name, directions=config.directions, metrics=config.search.objectives, phases=phases)
    try:
        if config.database is not None and not store.claim(_identity(directory)):
            raise StudyDirectoryError(_name_is_taken(config, url))
        yield OpenStudy(config, store, directory)
    finally:
        store.close()


def discard(study: OpenStudy) -> None:
    """Removes a study without runs, so that its remains do not block a corrected launch."""
    study.store.delete()
    shutil.rmtree(study.directory)


def studies_in(storage: Path) -> list[Path]:
    """Returns the study directories in a storage folder, sorted by name."""
    return sorted(path.parent for path in storage.glob(f"*/{STUDY_FILE}"))


def studies_below(folder: Path) -> list[Path]:
    """Returns the study directories in all storage folders within a folder, sorted by path."""
    return sorted(path.parent for path in folder.glob(f"*/*/{STUDY_FILE}"))


def _hint(directory: Path) -> str:
    """Returns a hint for a user who named a directory without a study."""
    if found := studies_in(directory) or studies_below(directory):
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        return f", but below it; name one of {', '.join(map(str, found[:SHOWN]))}{more}"
    above = next((place for place in list(directory.parents)[:2] if (place / STUDY_FILE).exists()), None)
    names = {path.name: path for path in studies_in(directory.parent)}
    near = above or next((names[name] for name in difflib.get_close_matches(directory.name, names, n=1)), None)
    if near is not None:
        return f"; did you mean {near}?"
    why = f"{STUDY_FILE} is missing" if directory.exists() else "no such folder"
    return f" ({why}); `cskd list --storage DIR` shows the studies of a folder"


def _refuse_database(config: StudyConfig, directory: Path) -> None:
    """Checks the database of a new study before any file is created."""
    url = database.url_of(config.database, directory)
    if config.database is None:
        database.refuse_network_file_system(directory)
    elif (owner := owner_of(url, config.name)) is not None and owner != _identity(directory):
        raise StudyDirectoryError(_name_is_taken(config, url))


def _identity(directory: Path) -> str:
    """Returns the digits that distinguish this directory's study in a shared database; empty before its creation."""
    path = directory / IDENTITY_FILE
    return path.read_text() if path.exists() else ""


def _name_is_taken(config: StudyConfig, url: URL) -> str:
    return (
        f"name: the database {database.shown(url)} holds a study {config.name!r} of another directory; choose another "
        "name"
    )


def _directory_is_taken(old: StudyConfig, new: StudyConfig, directory: Path) -> str:
    changes = _differences(old.resolved(), new.resolved())
    if not changes:
        return f"{directory}: already holds this study; resume it with `cskd resume {directory}`"
    shown = "; ".join(changes[:SHOWN]) + (f"; and {len(changes) - SHOWN} more" if len(changes) > SHOWN else "")
    return f"{directory}: holds another study of this name ({shown}); choose another name or another --storage"


def _differences(old: Any, new: Any, path: str = "") -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [
            line
            for key in keys
            for line in _differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
        ]
    return [] if old == new else [f"{path}: {old} there, {new} here"]
