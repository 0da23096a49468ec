"""CUB-200-2011: photographs of 200 species of birds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from trainables.errors import DataError
from trainables.interfaces import Counts, ValidationSplit
from trainables.preparation.archives import PublishedFile
from trainables.preparation.prepared_dataset import PreparedDataset, read_lines, refuse_outside

if TYPE_CHECKING:
    from trainables.preparation.recipes import Listing

FOLDER = "CUB_200_2011"
LISTS = ("images.txt", "image_class_labels.txt", "train_test_split.txt", "classes.txt")


class Cub200(PreparedDataset):
    """5,994 training and 5,794 test photographs of 200 species of birds (Wah et al. 2011).

    Published lists give class and part of each image; classes are in the published order. Bounding boxes are not used.
    """

    files: ClassVar[tuple[PublishedFile, ...]] = (
        PublishedFile(
            "CUB_200_2011.tgz",
            "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
            md5="97eceeb196236b17998738112f37df78",
        ),
    )
    published: ClassVar[Counts] = Counts(classes=200, train=5994, test=5794)

    validation: ValidationSplit = ValidationSplit(per_class=3)

    @classmethod
    def wanted(cls, path: str) -> bool:
        """Returns whether a file is an image or one of the four lists."""
        return path.startswith(f"{FOLDER}/images/") or path in {f"{FOLDER}/{name}" for name in LISTS}

    @classmethod
    def listing(cls, folder: Path) -> Listing:
        """Joins the lists by image id.

        Raises:
            DataError: A list is missing, or an id is in one list only.
        """
        from trainables.preparation.recipes import Listing

        names, labels, trains, classes = (
            dict(_pair(line, folder / FOLDER / name) for line in read_lines(folder / FOLDER / name)) for name in LISTS
        )
        refuse_outside(list(names.values()), folder / FOLDER / "images.txt")
        if not names.keys() == labels.keys() == trains.keys():
            raise DataError(f"{folder / FOLDER}: images.txt and the other lists name different images")
        numbers = {number: label for label, number in enumerate(sorted(classes, key=int))}
        if not set(labels.values()) <= numbers.keys() or not set(trains.values()) <= {"0", "1"}:
            raise DataError(f"{folder / FOLDER}: a list names an unknown class or part")
        rows: dict[str, list[tuple[str, int]]] = {"0": [], "1": []}
        for image in sorted(names, key=int):
            rows[trains[image]].append((f"{FOLDER}/images/{names[image]}", numbers[labels[image]]))
        return Listing(tuple(classes[number] for number in numbers), rows["1"], rows["0"])


def _pair(line: str, path: Path) -> tuple[str, str]:
    key, _, value = line.partition(" ")
    if not key.isdecimal() or not value:
        raise DataError(f"{path} has the line {line!r}, which is not a number and a value; fetch its archive again")
    return key, value
