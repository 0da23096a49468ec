"""Base class of data sets, which also guards access to the test part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from trainables.errors import DataError, TestSetClosedError
from trainables.files import local_copies
from trainables.files.object_store import OUTAGE_SECONDS
from trainables.files.places import Place, data_place, place_from
from trainables.interfaces.dataset_options import Augmentation, Counts, ResizedCrop, Subset, ValidationSplit
from trainables.interfaces.part import Part
from trainables.interfaces.ragged_images import RaggedImages

Progress = Callable[[str, int, int], None]
"""Callback for long operations: description, amount done, total amount (0: unknown)."""


def no_progress(what: str, done: int, total: int) -> None:
    """Ignores all progress."""


class TestAccess(Protocol):  # no pytest class: it has no test methods
    """Protocol for access to test data, which is recorded in the ledger before the data is returned."""

    def record(self, dataset: str, images: int) -> None:
        """Durably records in the ledger that test data is read.

        Args:
            dataset: Name of the data set.
            images: Number of test images.
        """


@dataclass(frozen=True)
class LabelledImages:
    """Images with labels and class names.

    Attributes:
        images: RGB images, uint8 ``[n, height, width, 3]``, or n images of different sizes.
        labels: Labels, int64 ``[n]`` in ``[0, len(classes))``.
        classes: Class names, in label order.
        groups: Name of the group of each class if the classes have a hierarchy, else empty.
    """

    images: NDArray[np.uint8] | RaggedImages
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    groups: tuple[str, ...] = ()

    def take(self, indices: NDArray[np.int64]) -> LabelledImages:
        """Selects the images at ``indices``, in that order."""
        images = self.images
        images = images.take(indices) if isinstance(images, RaggedImages) else images[indices]
        return replace(self, images=images, labels=self.labels[indices])


@dataclass(frozen=True)
class StoredData:
    """State of a data set on disk.

    Attributes:
        state: State of the data: ``ready``, ``missing``, ``damaged``, or ``built in`` if no file is needed.
        path: Path of the data, existing or not; None without a file.
        counts: Number of classes and images, if known.
        part: Whether the data is only a part of the published data.
        nbytes: Size on disk in bytes.
        note: Instruction or remark for the user.
    """

    state: Literal["ready", "missing", "damaged", "built in"]
    path: Path | None = None
    counts: Counts | None = None
    part: bool = False
    nbytes: int = 0
    note: str = ""


class Dataset(Part, ABC):
    """A data set with its published train and test parts, normalisation and augmentation.

    Attributes:
        root: Location of the data, a folder or a URI such as ``s3://bucket/data``; None for the location in the
            environment variable ``CSKD_DATA``, or else the user's data folder.
        validation: Validation split, held out from the training part.
        subset: Part of the data to use, for quick studies.
        mean: Mean of each channel for normalisation, for images scaled to [0, 1].
        std: Standard deviation of each channel for normalisation, for images scaled to [0, 1].
    """

    mean: ClassVar[tuple[float, float, float]]
    std: ClassVar[tuple[float, float, float]]

    root: Annotated[Place, AfterValidator(place_from)] | None = None
    validation: ValidationSplit = ValidationSplit(fraction=0.1)
    subset: Subset = Subset()

    @property
    @abstractmethod
    def augmentation(self) -> Augmentation | ResizedCrop:
        """Training transform; a ``ResizedCrop`` also defines the test transform."""

    def image_size(self, images: LabelledImages) -> tuple[int, int]:
        """Height and width in pixels of the network's input for ``images``."""
        if isinstance(self.augmentation, ResizedCrop):
            return self.augmentation.size, self.augmentation.size
        height, width, _ = images.images[0].shape
        return height, width

    @abstractmethod
    def _read(self, part: Literal["train", "test"]) -> LabelledImages:
        """Reads a published part from disk; implemented by each data set.

        Only ``training_images`` and ``test_images``, which guards the test part, call it. At that time ``root`` is a
        folder or None.

        Args:
            part: Part to read.

        Raises:
            DataError: Files are missing or damaged; the message names the file and the remedy.
        """

    def stored(self) -> list[StoredData]:
        """State of all prepared forms of the data set on disk; by default it needs no files."""
        return [StoredData("built in")]

    def stored_file(self) -> StoredData:
        """State of the data for these options on disk, after all bytes were verified."""
        return self.stored()[0]

    def kept(self) -> tuple[str, ...]:
        """Names of the files and folders that reading needs, relative to the data's location.

        By default everything below ``root``.
        """
        return () if self.root is None else ("",)

    def here(self, progress: Progress = no_progress, patience_seconds: float = OUTAGE_SECONDS) -> Dataset:
        """Returns the data set with a local folder as its location; data in an object store is copied first.

        The first process of a machine fetches and verifies the copy; other processes reuse it.

        Args:
            progress: Callback for the bytes that are fetched.
            patience_seconds: Time to wait for a store that does not respond, in seconds.

        Raises:
            DataError: The data is missing or damaged in the store.
            ObjectStoreError: The store does not respond, or refuses a request.
            OSError: There is not enough free space for a copy.
        """
        place = data_place(self.root)
        if isinstance(place, Path) or not self.kept():
            return self
        names = self.copied(place, patience_seconds)
        folders = {local_copies.fetch(place, name, progress, patience_seconds) for name in names}
        return self.model_copy(update={"root": folders.pop() if names == self.kept() else place})

    def copied(self, place: str, patience_seconds: float) -> tuple[str, ...]:
        """Names of ``kept()`` that are copied from an object store to this machine; by default all.

        Args:
            place: URI of the data in the object store.
            patience_seconds: Time to wait for a store that does not respond, in seconds.

        Raises:
            ObjectStoreError: The store does not respond, or refuses a request.
        """
        del place, patience_seconds
        return self.kept()

    def has_room(self) -> bool:
        """Whether this machine has the copies of data in an object store, or enough free space; true for folders.

        Raises:
            DataError: The data in the store is damaged.
            ObjectStoreError: The store does not respond at once, or refuses a request.
        """
        place = data_place(self.root)
        return isinstance(place, Path) or all(local_copies.fits(place, name, 0) for name in self.copied(place, 0))

    def write_index(self, folder: Path) -> tuple[str, ...]:
        """Writes the index files that reading from an object store without a copy needs.

        Args:
            folder: Folder of the files.

        Returns:
            Names of the files, relative to the folder; none by default.
        """
        del folder
        return ()

    def absent(self) -> str | None:
        """Message that names data that is not available locally, and the command that provides it; None if it is."""
        place = data_place(self.root)
        if isinstance(place, str):
            if all(local_copies.has_copy(place, name) for name in self.copied(place, 0)):
                return None
            return f"{local_copies.folder_of(place)}: no data here; run `cskd data fetch {self.part_name()}`"
        missing = self.missing()
        return None if missing is None else f"{missing}: no data here; run `cskd data prepare {self.part_name()}`"

    def missing(self) -> Path | None:
        """File that reading from a folder would first have to download or unpack; None if all files exist."""
        return None

    def prepare(self, archives: list[Path], progress: Progress = no_progress) -> StoredData:
        """Prepares the data from archives, or downloads missing files; does nothing if the data is ready.

        Args:
            archives: Archive files of the published data; empty to download them.
            progress: Callback for the steps of the preparation.

        Raises:
            DataError: A file cannot be fetched, is not the published one, or is damaged.
        """
        if archives:
            raise DataError(f"{self.part_name()} takes no archives")
        progress("nothing to do", 1, 1)
        return self.stored()[0]

    def training_images(self) -> LabelledImages:
        """Training part, reduced to ``subset``.

        Raises:
            DataError: Files are missing or damaged.
        """
        images = self._classes_only(self._opened("train"))
        if self.subset.train_per_class is None:
            return images
        keep = np.sort(
            np.concatenate(
                [
                    np.flatnonzero(images.labels == label)[: self.subset.train_per_class]
                    for label in range(len(images.classes))
                ]
            )
        )
        return images.take(keep)

    def test_images(self, access: TestAccess) -> LabelledImages:
        """Test part, returned after the access was recorded in the ledger.

        Args:
            access: Access that records the reading.

        Raises:
            TestSetClosedError: ``access`` cannot record the reading.
            DataError: Files are missing or damaged.
        """
        if not callable(getattr(access, "record", None)):
            raise TestSetClosedError("test data opens only with an access that records it (study/phases/confirm.py)")
        images = self._classes_only(self._opened("test"))
        access.record(self.part_name(), len(images.labels))
        return images

    def _opened(self, part: Literal["train", "test"]) -> LabelledImages:
        """Reads a published part; a damaged local copy is fetched again once."""
        here, place = self.here(), data_place(self.root)
        try:
            return here._read(part)
        except DataError:
            if isinstance(place, Path) or here is self:
                raise
        for name in self.copied(place, OUTAGE_SECONDS):
            local_copies.invalidate(place, name)
        return self.here()._read(part)

    def _classes_only(self, images: LabelledImages) -> LabelledImages:
        count = self.subset.classes
        if count is None or count >= len(images.classes):
            return images
        selected = images.take(np.flatnonzero(images.labels < count))
        return replace(selected, classes=images.classes[:count], groups=images.groups[:count])
