"""Base classes of data sets that are prepared once from published archives and then memory-mapped."""

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
    """Data set of photographs of different sizes, with random resized crops (paper's code, ``datasets.py``).

    Prepared files hold every image as uint8, with the shorter side resized to ``stored_side``. At 256 the test
    transform (resize to 256, centre crop of 224) is exact, and a training crop of 224 has at most the detail of the
    test transform. Smaller files would blur it; files of the published size would be two to four times larger.

    Attributes:
        crop: Height and width of the network's input in pixels.
        stored_side: Shorter side of the images in the prepared file, in pixels; smaller images keep their size.
        memory_limit: Largest size of the images in a device's memory, in bytes or as text such as ``8GiB``. Larger data
            stays in the file, which is verified once instead of by every process; the CPU makes the crops, for a GPU in
            ``training.threads`` threads. Affects speed, not results.
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
        """Returns the shorter side before the centre crop of the test transform, in pixels."""
        return round(self.crop * 256 / 224)

    @property
    def augmentation(self) -> ResizedCrop:
        """Random resized crops of size ``crop``."""
        return ResizedCrop(size=self.crop, resize=self._resize())

    def _prepare_command(self, keys: tuple[str, ...], expected: list[str]) -> str:
        """Returns a hint to run the command that prepares the data; shows options in ``keys`` without their default."""
        root = [] if self.root is None else [f"--root {self.root}"]
        values = {key: getattr(self, key) for key in keys if getattr(self, key) != type(self).model_fields[key].default}
        arguments = [*root, *(f"--set {key}={value}" for key, value in values.items()), *expected]
        return f"run `{' '.join(['cskd data prepare', self.part_name(), *arguments])}`"


class PreparedDataset(CroppedDataset):
    """Data set with its own prepared file.

    Attributes:
        expect: Counts of a part of the published data; None for all of it.
        stream: Whether pixels are streamed from an object store instead of copied; ``auto`` streams if this machine
            lacks the disk space for a copy. Affects speed, not results.
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
            DataError: A published list is missing or invalid.
        """

    @classmethod
    def wanted(cls, path: str) -> bool:
        """Returns whether a file of an archive is needed; True for all by default."""
        return bool(path)

    def prepared_path(self) -> Path:
        """Returns the path of the prepared file; a part of the data has a different name than all of it."""
        return data_folder(self.root) / self.kept()[0]

    def kept(self) -> tuple[str, ...]:
        """Returns the relative path of the prepared file."""
        name, counts = self.part_name(), self.expect
        part = "" if counts is None else f"-part-{counts.classes}-{counts.train}-{counts.test}"
        return (f"{name}/{name}-{self.stored_side}{part}.arrow",)

    def _read(self, part: Literal["train", "test"]) -> LabelledImages:
        """Reads a part of the prepared file.

        Raises:
            DataError: The file is missing, damaged or has other content; the message names the command to prepare it.
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
        self._check(index.description, path, "run `cskd data push`")
        return index.read(part, place, name, self.memory_limit)

    def _check(self, description: Description, path: Path, cure: str) -> None:
        wanted = (self.part_name(), self.stored_side, self.expect or self.published, self.expect is not None)
        if (description.name, description.side, description.counts, description.part) != wanted:
            raise DataError(f"{path} contains {description.counts} of {description.name}; {cure}")

    def copied(self, place: str, patience_seconds: float) -> tuple[str, ...]:
        """Returns the files to copy: the prepared file, or only its index if pixels are streamed."""
        from trainables.preparation.streamed import index_of

        (name,) = self.kept()
        if self.stream == "auto":
            streams = not local_copies.fits(place, name, patience_seconds)
        else:
            streams = self.stream == "always"
        return (index_of(name),) if streams else (name,)

    def write_index(self, folder: Path) -> tuple[str, ...]:
        """Writes the index of the prepared file: offset and checksum of each image.

        Raises:
            DataError: The file is missing or damaged.
        """
        from trainables.preparation.streamed import index_of, write_index

        name = index_of(self.kept()[0])
        write_index(self.prepared_path(), folder / name, self._cure())
        return (name,)

    def stored(self) -> list[StoredData]:
        """Returns the verified prepared files in the folder; one entry with state ``missing`` if there are none."""
        folder = self.prepared_path().parent
        return [self._examined(path) for path in sorted(folder.glob("*.arrow"))] or [self.stored_file()]

    def stored_file(self) -> StoredData:
        """Returns the verified prepared file of these options."""
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
        """Creates the prepared file.

        Raises:
            DataError: A source file cannot be fetched, is damaged, or is not the published one.
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
            return self._prepare_command(("stored_side",), [])
        expected = f"--expect classes={counts.classes},train={counts.train},test={counts.test}"
        return self._prepare_command(("stored_side",), [expected])


def read_lines(path: Path) -> list[str]:
    """Returns the stripped, non-empty lines of a published list.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); fetch its archive again") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def refuse_outside(names: list[str], source: Path) -> None:
    """Checks that a list names no file outside the data set's folder.

    Raises:
        DataError: A name is absolute or contains ``..``.
    """
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise DataError(f"{source} names {name!r}, which is outside the data folder; fetch the published file")
