"""Uploads prepared data sets to an object store and lists those in a store."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from trainables.errors import ConfigError, DataError
from trainables.files import places
from trainables.files.shared_data import DataStore
from trainables.interfaces import StoredData, registry
from trainables.preparation.archives import data_folder

if TYPE_CHECKING:
    from trainables.interfaces import Dataset
    from trainables.interfaces.dataset import Progress


def push(dataset: Dataset, to: str, progress: Progress) -> int:
    """Uploads a prepared data set to an object store.

    Args:
        dataset: Data set in a local folder.
        to: URI of the data location.
        progress: Callback that receives the bytes uploaded so far.

    Returns:
        Size of the data in the store, in bytes.

    Raises:
        ConfigError: ``to`` is not a URI of an object store.
        DataError: The data is not prepared, or the store holds different data under its name.
        ObjectStoreError: The store does not answer, or rejects the request.
    """
    store, folder = DataStore(_uri(to)), data_folder(dataset.root)
    _refuse_unready(dataset)
    with TemporaryDirectory() as made:
        indexes = dict.fromkeys(dataset.write_index(Path(made)), Path(made))
        folders = indexes | dict.fromkeys(dataset.kept(), folder)
        return sum(store.put(each, name, progress).nbytes for name, each in folders.items())


def _uri(to: str) -> str:
    try:
        place = places.place_from(to)
    except ValueError as error:
        raise ConfigError(f"--to {error}") from None
    if not isinstance(place, str):
        raise ConfigError(f"--to {to}: give a URI in an object store, such as s3://bucket/data")
    return place


def _refuse_unready(dataset: Dataset) -> None:
    found = dataset.stored_file()
    if found.state == "built in":
        raise DataError(f"{dataset.part_name()} is built in and needs no upload")
    if found.state != "ready":
        raise DataError(found.note)


def stored(uri: str) -> list[tuple[str, StoredData]]:
    """Returns the data at a location in an object store, each entry with its path relative to the location.

    Raises:
        DataError: An inventory is damaged.
        ObjectStoreError: The store does not answer, or rejects the request.
    """
    store = DataStore(uri, patience_seconds=0)
    found = store.inventories(registry.available("datasets"))
    return [
        (kept or "all", StoredData("ready", nbytes=each.nbytes, note=store.shown(kept))) for kept, each in found.items()
    ]
