"""CIFAR-100: 100 classes of 32x32 colour images."""

import pickle
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from trainables.errors import DataError
from trainables.interfaces import Augmentation, Counts, Dataset, LabelledImages, StoredData
from trainables.interfaces.dataset import Progress, no_progress
from trainables.preparation.archives import PublishedFile, data_folder, download, exclusive, extract, read_verified

URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
ARCHIVE = "cifar-100-python.tar.gz"
ARCHIVE_MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
FOLDER = "cifar-100-python"
MD5 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}


class Cifar100(Dataset):
    """50,000 training and 10,000 test images of 100 classes, 32x32 (Krizhevsky 2009).

    ``root`` is the folder that contains ``cifar-100-python``, that folder itself, the archive
    ``cifar-100-python.tar.gz``, or the archive's folder. Missing files are downloaded. Files are verified against their
    published MD5 each time they are read.

    The normalisation constants are those of the paper's code, which are CIFAR-10's.
    """

    mean: ClassVar[tuple[float, float, float]] = (0.4914, 0.4822, 0.4465)
    std: ClassVar[tuple[float, float, float]] = (0.2023, 0.1994, 0.2010)
    augmentation: ClassVar[Augmentation] = Augmentation(padding=4, flip=0.5)

    def stored(self) -> list[StoredData]:
        """Returns the folder of the unpacked files, verified against their published MD5."""
        folder = self._folder()
        if not folder.exists():
            return [StoredData("missing", folder, note="run `cskd data prepare cifar100`")]
        try:
            size = sum(len(read_verified(folder / name, md5)) for name, md5 in MD5.items())
        except DataError as error:
            return [StoredData("damaged", folder, note=str(error))]
        return [StoredData("ready", folder, Counts(classes=100, train=50_000, test=10_000), nbytes=size)]

    def kept(self) -> tuple[str, ...]:
        """Returns the name of the folder of the unpacked files."""
        return (FOLDER,)

    def missing(self) -> Path | None:
        """Returns the folder of the unpacked files if it does not exist, else None."""
        folder = self._folder()
        return None if folder.exists() else folder

    def _folder(self) -> Path:
        root = data_folder(self.root)
        return root if root.name == FOLDER else (root.parent if root.is_file() else root) / FOLDER

    def prepare(self, archives: list[Path], progress: Progress = no_progress) -> StoredData:
        """Unpacks the archive into the data folder; downloads it if none is given.

        Raises:
            DataError: The archive cannot be fetched or is not the published one.
        """
        if len(archives) > 1:
            raise DataError(f"cifar100 has one archive, {ARCHIVE}")
        folder = data_folder(self.root)
        if archives and not (folder / FOLDER).exists():
            progress(f"check {ARCHIVE}", 0, 1)
            PublishedFile(ARCHIVE, URL, md5=ARCHIVE_MD5).verify(archives[0])
            with exclusive(folder):
                extract(archives[0], FOLDER, folder)
        _prepare(folder)
        return self.stored()[0]

    def _read(self, part: Literal["train", "test"]) -> LabelledImages:
        """Reads a part; downloads and unpacks the archive first if it is missing.

        Raises:
            DataError: Files are missing and cannot be fetched, or are damaged.
        """
        folder = _prepare(data_folder(self.root))
        content = _load(folder, part)
        pixels: np.ndarray[Any, np.dtype[np.uint8]] = content[b"data"]
        classes = tuple(name.decode() for name in _load(folder, "meta")[b"fine_label_names"])
        labels = np.array(content[b"fine_labels"], np.int64)
        return LabelledImages(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels, classes)


def _prepare(root: Path) -> Path:
    """Downloads and unpacks the archive if needed; returns the folder of the unpacked files."""
    if root.name == FOLDER:
        return root
    archive = root if root.is_file() else root / ARCHIVE
    folder = archive.parent / FOLDER
    if folder.exists():
        return folder
    with exclusive(archive.parent):
        if not folder.exists():
            if not archive.exists():
                download(URL, archive, ARCHIVE_MD5)
            extract(archive, FOLDER)
    return folder


def _load(folder: Path, name: str) -> dict[bytes, Any]:
    content = read_verified(folder / name, MD5[name])
    # Python 2 wrote the files. With another encoding, 150 MB of pixels would be decoded as text.
    loaded: dict[bytes, Any] = pickle.loads(content, encoding="bytes")  # noqa: S301 - verified by its checksum
    return loaded
