"""What a data set is, and the guard of its test part."""

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
"""Told of long work: what is done, how much of it is done, how much there is (0: unknown)."""


def no_progress(what: str, done: int, total: int) -> None:
    """Tells nobody."""


class TestAccess(Protocol):  # no pytest class: it has no test methods
    """Permission to read test data; recording it in the ledger comes before the data."""

    def record(self, dataset: str, images: int) -> None:
        """Writes the reading into the ledger, durably."""


@dataclass(frozen=True)
class LabelledImages:
    """Images as uint8 ``[n, height, width, 3]``, or of different sizes; labels as int64 ``[n]``.

    Attributes:
        classes: Names, in label order; labels lie in ``[0, len(classes))``.
        groups: Name of each class's group, where the classes have a hierarchy; otherwise empty.
    """

    images: NDArray[np.uint8] | RaggedImages
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    groups: tuple[str, ...] = ()

    def take(self, indices: NDArray[np.int64]) -> LabelledImages:
        """The images at ``indices``, in that order."""
        images = self.images
        images = images.take(indices) if isinstance(images, RaggedImages) else images[indices]
        return replace(self, images=images, labels=self.labels[indices])


@dataclass(frozen=True)
class StoredData:
    """What lies on disk of a data set.

    Attributes:
        state: ``ready``; ``missing``; ``damaged``; ``built in``, no file is needed.
        path: Where it lies, or would lie; None without a file.
        counts: What it holds, where that can be told.
        part: Whether that is a part of the published data.
        nbytes: Size on disk.
        note: What to do, or what else there is to say.
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
        root: Place of the data, a folder or a URI such as ``s3://bucket/data``; None means that of ``CSKD_DATA``, or
            the user's data folder.
        validation: How the validation split is cut out of the training part.
        subset: A smaller part of the data; None for all.
    """

    mean: ClassVar[tuple[float, float, float]]
    std: ClassVar[tuple[float, float, float]]

    root: Annotated[Place, AfterValidator(place_from)] | None = None
    validation: ValidationSplit = ValidationSplit(fraction=0.1)
    subset: Subset = Subset()

    @property
    @abstractmethod
    def augmentation(self) -> Augmentation | ResizedCrop:
        """Training transform; the second kind says what the test transform is, too."""

    def image_size(self, images: LabelledImages) -> tuple[int, int]:
        """Height and width in pixels of what the network sees of ``images``."""
        if isinstance(self.augmentation, ResizedCrop):
            return self.augmentation.size, self.augmentation.size
        height, width, _ = images.images[0].shape
        return height, width

    @abstractmethod
    def _read(self, part: Literal["train", "test"]) -> LabelledImages:
        """Reads a published part from disk: what a data set implements.

        Nobody calls it but ``training_images`` and ``test_images``, which guard the test part; ``root`` is then a
        folder, or there is none.

        Raises:
            DataError: Files are missing or damaged; the message names the file and the cure.
        """

    def stored(self) -> list[StoredData]:
        """What lies on disk; by default the data set needs nothing there."""
        return [StoredData("built in")]

    def stored_file(self) -> StoredData:
        """What lies on disk of the data of these options, every byte verified."""
        return self.stored()[0]

    def kept(self) -> tuple[str, ...]:
        """Names, below the data's place, of the files and folders that reading needs; by default all below ``root``."""
        return () if self.root is None else ("",)

    def here(self, progress: Progress = no_progress, patience_seconds: float = OUTAGE_SECONDS) -> Dataset:
        """The data set in a folder of this machine: as it is, or of a copy of what lies in an object store.

        The copy is fetched by the first process of a machine that asks, and verified.

        Args:
            progress: Told of the bytes that come.
            patience_seconds: How long a store is waited for that does not answer.

        Raises:
            DataError: The data is not in the store, or damaged there.
            ObjectStoreError: The store does not answer, or refuses.
            OSError: There is no room for a copy.
        """
        place = data_place(self.root)
        if isinstance(place, Path) or not self.kept():
            return self
        names = self.copied(place, patience_seconds)
        folders = {local_copies.fetch(place, name, progress, patience_seconds) for name in names}
        return self.model_copy(update={"root": folders.pop() if names == self.kept() else place})

    def copied(self, place: str, patience_seconds: float) -> tuple[str, ...]:
        """Which of the names that are kept at a place in an object store are copied here; all, by default.

        Args:
            place: Its URI.
            patience_seconds: How long a store is waited for that does not answer.

        Raises:
            ObjectStoreError: The store does not answer, or refuses.
        """
        del place, patience_seconds
        return self.kept()

    def has_room(self) -> bool:
        """Whether this machine has, or has room for, the copies of what lies in an object store; always for folders.

        Raises:
            DataError: What lies there is damaged.
            ObjectStoreError: The store does not answer at once, or refuses.
        """
        place = data_place(self.root)
        return isinstance(place, Path) or all(local_copies.fits(place, name, 0) for name in self.copied(place, 0))

    def write_index(self, folder: Path) -> tuple[str, ...]:
        """Writes what reading without a copy needs into a folder, for an object store.

        Returns:
            Names of the files, below the folder; none by default.
        """
        del folder
        return ()

    def absent(self) -> str | None:
        """What reading the data would first fetch or make, and what does so beforehand; None where all is there."""
        place = data_place(self.root)
        if isinstance(place, str):
            if all(local_copies.has_copy(place, name) for name in self.copied(place, 0)):
                return None
            return f"{local_copies.folder_of(place)}: no data here; `cskd data fetch {self.part_name()}` fetches it"
        missing = self.missing()
        return None if missing is None else f"{missing}: no data here; `cskd data prepare {self.part_name()}` makes it"

    def missing(self) -> Path | None:
        """What reading the data from a folder would first download or unpack; None where it makes no files."""
        return None

    def prepare(self, archives: list[Path], progress: Progress = no_progress) -> StoredData:
        """Makes the data ready from ``archives``, or downloads what is missing; does nothing where it is ready.

        Raises:
            DataError: A file cannot be fetched, is not the published one, or is damaged.
        """
        if archives:
            raise DataError(f"{self.part_name()} takes no archives")
        progress("nothing to do", 1, 1)
        return self.stored()[0]

    def training_images(self) -> LabelledImages:
        """The training part, reduced to ``subset``."""
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
        """The test part, after the reading has been written into the ledger.

        Raises:
            TestSetClosedError: ``access`` cannot record the reading.
        """
        if not callable(getattr(access, "record", None)):
            raise TestSetClosedError("test data opens only with an access that records it (study/phases/confirm.py)")
        images = self._classes_only(self._opened("test"))
        access.record(self.part_name(), len(images.labels))
        return images

    def _opened(self, part: Literal["train", "test"]) -> LabelledImages:
        """A published part; a copy that turns out to be damaged is fetched again, once."""
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
        kept = images.take(np.flatnonzero(images.labels < count))
        return replace(kept, classes=images.classes[:count], groups=images.groups[:count])
