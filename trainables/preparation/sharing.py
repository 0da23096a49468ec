"""Uploads prepared data sets to an object store and lists what a store holds, for the nodes of a cluster."""

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
    """Puts a data set that is ready in a folder into an object store.

    Args:
        dataset: In its folder.
        to: URI of the place.
        progress: Told of the bytes.

    Returns:
        Bytes that are there now.

    Raises:
        ConfigError: ``to`` is no URI of an object store.
        DataError: The data is not ready, or the store holds other data of this name.
        ObjectStoreError: The store does not answer, or refuses.
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
        raise ConfigError(f"--to {to}: give the URI of a place in an object store, such as s3://bucket/data")
    return place


def _refuse_unready(dataset: Dataset) -> None:
    found = dataset.stored_file()
    if found.state == "built in":
        raise DataError(f"{dataset.part_name()} is inside the program, on every node")
    if found.state != "ready":
        raise DataError(found.note)


def stored(uri: str) -> list[tuple[str, StoredData]]:
    """What lies at a place in an object store, by the names under which it is kept.

    Raises:
        DataError: An inventory there is damaged.
        ObjectStoreError: The store does not answer, or refuses.
    """
    store = DataStore(uri, patience_seconds=0)
    found = store.inventories(registry.available("datasets"))
    return [
        (kept or "all", StoredData("ready", nbytes=each.nbytes, note=store.shown(kept))) for kept, each in found.items()
    ]
