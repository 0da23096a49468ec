"""Base of the data sets that are prepared once from their published archives and then mapped into memory."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import ByteSize, Field, model_validator

from trainables.errors import DataError
from trainables.files import local_copies
from trainables.files.places import data_place
from trainables.interfaces.dataset import Dataset, LabelledImages, Progress, StoredData, no_progress
from trainables.interfaces.dataset_options import Counts, ResizedCrop
from trainables.interfaces.ragged_images import MEMORY_LIMIT
from trainables.preparation.archives import PublishedFile, data_folder

if TYPE_CHECKING:
    from trainables.preparation.arrow_file import Description
    from trainables.preparation.recipes import Listing, Recipe


class CroppedDataset(Dataset):
    """A data set of photographs of different sizes, under random resized crops (paper's release, ``datasets.py``).

    Prepared files hold every image as uint8 with the shorter side brought to ``stored_side``. At 256 the test transform
    (resize to 256, cut out the middle 224) is exact, and a training crop of 224 has at most the detail that it has in
    the test transform; smaller files would blur it, and files of the published size would be two to four times larger
    for boxes that are resized to 224 anyway.

    Attributes:
        crop: Height and width in pixels of what the network sees.
        stored_side: Shorter side of the images in the prepared file; images that are smaller stay as they are.
        memory_limit: Bytes (a number, or such as ``8GiB``) that copies of the images may take on a device; beyond it
            they stay in the file, which is then verified once and not by every process, and crops are made on the CPU,
            for a GPU by ``training.threads`` threads that work ahead. Decides about speed, not about results.
    """

    mean: ClassVar[tuple[float, float, float]] = (0.485, 0.456, 0.406)
    std: ClassVar[tuple[float, float, float]] = (0.229, 0.224, 0.225)

    crop: int = Field(default=224, ge=8)
    stored_side: int = Field(default=256, ge=16)
    memory_limit: ByteSize = Field(default=ByteSize(MEMORY_LIMIT), ge=0)

    @model_validator(mode="after")
    def _stored_large_enough(self) -> CroppedDataset:
        needed = self._resize()
        if self.stored_side < needed:
            raise ValueError(f"stored_side is {self.stored_side}, but crop {self.crop} needs {needed} pixels or more")
        return self

    def _resize(self) -> int:
        """Shorter side before the cut of the test transform."""
        return round(self.crop * 256 / 224)

    @property
    def augmentation(self) -> ResizedCrop:
        """Random resized crops to ``crop``."""
        return ResizedCrop(size=self.crop, resize=self._resize())

    def _made_by(self, keys: tuple[str, ...], expected: list[str]) -> str:
        """How a message says what prepares these data: with those of the options ``keys`` that are not the default."""
        root = [] if self.root is None else [f"--root {self.root}"]
        values = {key: getattr(self, key) for key in keys if getattr(self, key) != type(self).model_fields[key].default}
        words = [*root, *(f"--set {key}={value}" for key, value in values.items()), *expected]
        return f"`{' '.join(['cskd data prepare', self.part_name(), *words])}` makes it"


class PreparedDataset(CroppedDataset):
    """A data set with a prepared file of its own.

    Attributes:
        expect: What the data must hold, for a part of the published data; None for all of it.
        stream: Whether pixels of data in an object store stay there and come as they are needed: ``auto`` where this
            machine has no room for a copy. Decides about speed, not about results.
    """

    files: ClassVar[tuple[PublishedFile, ...]]
    published: ClassVar[Counts]

    expect: Counts | None = None
    stream: Literal["auto", "always", "never"] = "auto"

    @classmethod
    @abstractmethod
    def listing(cls, folder: Path) -> Listing:
        """Lists the images in the folder of the unpacked files.

        Raises:
            DataError: A list is missing or does not say what it should.
        """

    @classmethod
    def wanted(cls, path: str) -> bool:
        """Whether a file of an archive is needed; all, by default."""
        return bool(path)

    def prepared_path(self) -> Path:
        """Where the prepared file lies; a part of the data never lies where all of it would."""
        return data_folder(self.root) / self.kept()[0]

    def kept(self) -> tuple[str, ...]:
        """The prepared file."""
        name, counts = self.part_name(), self.expect
        part = "" if counts is None else f"-part-{counts.classes}-{counts.train}-{counts.test}"
        return (f"{name}/{name}-{self.stored_side}{part}.arrow",)

    def _read(self, part: Literal["train", "test"]) -> LabelledImages:
        """A part of the prepared file.

        Raises:
            DataError: The file is missing, damaged or holds something else; the message says what prepares it.
        """
        place = data_place(self.root)
        if isinstance(place, str):
            return self._read_streamed(place, part)
        from trainables.preparation.arrow_file import describe, read_part

        path, cure = self.prepared_path(), self._cure()
        self._check(describe(path, cure), path, cure)
        return read_part(path, cure, part, self.memory_limit)

    def _read_streamed(self, place: str, part: Literal["train", "test"]) -> LabelledImages:
        from trainables.preparation.streamed import Index, index_of

        (name,) = self.kept()
        path = local_copies.folder_of(place) / index_of(name)
        index = Index(path)
        self._check(index.description, path, "`cskd data push` puts it there")
        return index.read(part, place, name, self.memory_limit)

    def _check(self, description: Description, path: Path, cure: str) -> None:
        wanted = (self.part_name(), self.stored_side, self.expect or self.published, self.expect is not None)
        if (description.name, description.side, description.counts, description.part) != wanted:
            raise DataError(f"{path} holds {description.counts} of {description.name}; {cure}")

    def copied(self, place: str, patience_seconds: float) -> tuple[str, ...]:
        """The prepared file, or its index alone where ``stream`` says so."""
        from trainables.preparation.streamed import index_of

        (name,) = self.kept()
        if self.stream == "auto":
            streams = not local_copies.fits(place, name, patience_seconds)
        else:
            streams = self.stream == "always"
        return (index_of(name),) if streams else (name,)

    def write_index(self, folder: Path) -> tuple[str, ...]:
        """Writes where each image lies in the prepared file, and its checksum.

        Raises:
            DataError: The file is missing or damaged.
        """
        from trainables.preparation.streamed import index_of, write_index

        name = index_of(self.kept()[0])
        write_index(self.prepared_path(), folder / name, self._cure())
        return (name,)

    def stored(self) -> list[StoredData]:
        """The prepared files in the folder, verified; a line for a missing one where there is none."""
        folder = self.prepared_path().parent
        return [self._examined(path) for path in sorted(folder.glob("*.arrow"))] or [self.stored_file()]

    def stored_file(self) -> StoredData:
        """The prepared file of these options, verified."""
        path = self.prepared_path()
        return self._examined(path) if path.exists() else StoredData("missing", path, note=self._cure())

    def _examined(self, path: Path) -> StoredData:
        from trainables.preparation.steps import verify

        size = path.stat().st_size
        try:
            description = verify(path, no_progress)
        except DataError as error:
            return StoredData("damaged", path, nbytes=size, note=str(error))
        return StoredData("ready", path, description.counts, description.part, size)

    def prepare(self, archives: list[Path], progress: Progress = no_progress) -> StoredData:
        """Makes the prepared file.

        Raises:
            DataError: A file cannot be fetched, is not the published one, or is damaged.
        """
        from trainables.preparation import steps

        steps.prepare(self._recipe(), archives, progress)
        path = self.prepared_path()
        return StoredData("ready", path, self.expect or self.published, self.expect is not None, path.stat().st_size)

    def _recipe(self) -> Recipe:
        from trainables.preparation.recipes import Recipe

        counts, part = self.expect or self.published, self.expect is not None
        name, path = self.part_name(), self.prepared_path()
        return Recipe(name, path, self.files, counts, part, self.stored_side, self.wanted, self.listing)

    def _cure(self) -> str:
        counts = self.expect
        if counts is None:
            return self._made_by(("stored_side",), [])
        expected = f"--expect classes={counts.classes},train={counts.train},test={counts.test}"
        return self._made_by(("stored_side",), [expected])


def read_lines(path: Path) -> list[str]:
    """The lines of a published list that are not empty, without their ends, CR or LF.

    Raises:
        DataError: It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); fetch its archive again") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def refuse_outside(names: list[str], source: Path) -> None:
    """Refuses lists that name files outside the data set's folder.

    Raises:
        DataError: A name is absolute or holds ``..``.
    """
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise DataError(f"{source} names {name!r}, which lies outside the data; fetch the published file")
