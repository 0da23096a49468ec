"""Custom images, one folder per class."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from trainables.batches.splits import draw_per_class, fraction_of
from trainables.errors import DataError
from trainables.interfaces import Augmentation, Counts, Dataset, LabelledImages, StoredData
from trainables.interfaces.dataset import Progress, no_progress
from trainables.preparation.archives import data_folder

Files = dict[str, list[Path]]


class ImageFolder(Dataset):
    """Images in ``root/<class>/``, or in ``root/train/<class>/`` and optionally ``root/test/<class>/``.

    Classes and files are sorted by name, including nested folders and excluding names with a leading dot. The format is
    detected by content, not by extension. Images are converted to RGB; the shorter side is resized to ``size``
    (bilinear, antialiased) and the centre square is cropped.

    Attributes:
        size: Height and width of the images in pixels; must equal the model's ``input_size``.
        test_fraction: Fraction of each class that becomes the test part if there is no test folder, in (0, 1).
        test_seed: Seed that selects these images.
    """

    mean: ClassVar[tuple[float, float, float]] = (0.485, 0.456, 0.406)
    std: ClassVar[tuple[float, float, float]] = (0.229, 0.224, 0.225)
    augmentation: ClassVar[Augmentation] = Augmentation(padding=4, flip=0.5)

    size: int = Field(default=32, ge=8)
    test_fraction: float = Field(default=0.2, gt=0, lt=1)
    test_seed: int = Field(default=0, ge=0)

    def stored(self) -> list[StoredData]:
        """Returns an empty list: the images are not in the data folder."""
        return []

    def stored_file(self) -> StoredData:
        """Returns the folder with the counts of its images; does not read them.

        Raises:
            DataError: ``root`` is not given, or its folders are invalid.
        """
        folder = self._folder()
        train, test = (self._files(folder, part) for part in ("train", "test"))
        counts = Counts(classes=len(train), train=sum(map(len, train.values())), test=sum(map(len, test.values())))
        return StoredData("ready", folder, counts)

    def prepare(self, archives: list[Path], progress: Progress = no_progress) -> StoredData:  # noqa: ARG002
        """Raises an error, because the data set needs no preparation.

        Raises:
            DataError: Always.
        """
        raise DataError("image_folder needs no preparation: name your folder of images as dataset.root")

    def _read(self, part: Literal["train", "test"]) -> LabelledImages:
        """Reads and decodes a part; opens no file of the other part.

        Raises:
            DataError: ``root`` is not given or has fewer than two classes, a class is empty or has a single training
                image, ``train`` and ``test`` have different classes, or a file is not a readable image.
        """
        files = self._files(self._folder(), part)
        paths = [path for of_class in files.values() for path in of_class]
        labels = np.repeat(np.arange(len(files)), [len(of_class) for of_class in files.values()])
        with ThreadPoolExecutor() as pool:
            images = np.stack(list(pool.map(lambda path: read_square(path, self.size), paths)))
        return LabelledImages(images, labels, tuple(files))

    def _folder(self) -> Path:
        if self.root is None:
            raise DataError(
                "image_folder needs dataset.root, the folder that holds one folder of images for each class"
            )
        return data_folder(self.root)

    def _files(self, root: Path, part: Literal["train", "test"]) -> Files:
        if (root / "train").is_dir():
            _refuse_validation_folder(root)
        if (root / "train").is_dir() and not (root / "test").is_dir():
            train, test = self._cut_test(list_classes(root / "train"))
        elif (root / "train").is_dir():
            train, test = list_classes(root / "train"), list_classes(root / "test")
            if different := sorted(train.keys() ^ test.keys()):
                raise DataError(f"class {different[0]!r} is in only one of {root / 'train'} and {root / 'test'}")
        else:
            train, test = self._cut_test(list_classes(root))
        for name, paths in train.items():
            if len(paths) < 2:
                raise DataError(
                    f"class {name!r} in {root} has {len(paths)} training images, and class pairs need two; add images "
                    "or remove its folder"
                )
        return test if part == "test" else train

    def _cut_test(self, files: Files) -> tuple[Files, Files]:
        sizes = np.array([len(paths) for paths in files.values()])
        labels = np.repeat(np.arange(len(files)), sizes)
        chosen = set(draw_per_class(labels, fraction_of(sizes, self.test_fraction), self.test_seed).tolist())
        train: Files = {name: [] for name in files}
        test: Files = {name: [] for name in files}
        pairs = ((name, path) for name, paths in files.items() for path in paths)
        for index, (name, path) in enumerate(pairs):
            (test if index in chosen else train)[name].append(path)
        return train, test


def _refuse_validation_folder(root: Path) -> None:
    for name in ("val", "valid", "validation"):
        if (root / name).is_dir():
            raise DataError(
                f"{root / name}: the validation split is cut out of the training part by dataset.validation; "
                f"move these images into {root / 'train'}, or rename the folder to test"
            )


def list_classes(folder: Path) -> Files:
    """Returns the files of each class folder in ``folder``, sorted by name.

    Raises:
        DataError: There are fewer than two classes, or a class has no files.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(names) < 2:
        raise DataError(
            f"{folder} contains {len(names)} folders; it needs one folder of images for each of two or more classes"
        )
    files = {name: _visible_files(folder / name) for name in names}
    for name, paths in files.items():
        if not paths:
            raise DataError(f"class {name!r} in {folder} has no images; add some or remove its folder")
    return files


def _visible_files(folder: Path) -> list[Path]:
    below = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [folder / path for path in sorted(below) if not any(part.startswith(".") for part in path.parts)]


def read_square(path: Path, size: int) -> NDArray[np.uint8]:
    """Decodes an image as RGB ``[size, size, 3]``: resizes the shorter side and crops the centre.

    Raises:
        DataError: The file is not a readable image.
    """
    from PIL import Image

    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except Exception as error:  # Pillow raises many types of errors for damaged files
        raise DataError(f"{path} cannot be read as an image ({error}); repair or remove it") from error
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized.crop((left, top, left + size, top + size)))
