"""Tiny ImageNet: 200 classes of ImageNet at 64x64, used at 32x32."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from trainables.errors import DataError
from trainables.interfaces import Counts, ValidationSplit
from trainables.preparation.archives import PublishedFile
from trainables.preparation.prepared_dataset import PreparedDataset, read_lines, refuse_outside

if TYPE_CHECKING:
    from trainables.preparation.recipes import Listing

FOLDER = "tiny-imagenet-200"


class TinyImagenet(PreparedDataset):
    """100,000 training and 10,000 test images of 200 classes, 64x64 (Stanford CS231n).

    The published validation images serve as the test part, because the test images have no labels. As in the paper's
    code, the input size is 32x32: random resized crops in training, the whole image resized in the test. Labels are
    positions in the sorted list of WordNet class identifiers.

    Attributes:
        crop: Height and width of the network's input in pixels; the paper uses 32, the published size is 64.
        stored_side: Published size in pixels; images are stored without resizing.
    """

    files: ClassVar[tuple[PublishedFile, ...]] = (
        PublishedFile(
            "tiny-imagenet-200.zip",
            "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
            size=248_100_043,
            md5="90528d7ca1a48142e341f4ef8d21d0de",
        ),
    )
    published: ClassVar[Counts] = Counts(classes=200, train=100_000, test=10_000)

    crop: int = Field(default=32, ge=8, le=64)
    stored_side: int = Field(default=64, ge=64, le=64)
    validation: ValidationSplit = ValidationSplit(per_class=50)

    def _resize(self) -> int:
        """Returns ``crop``: the test transform resizes the whole image and crops nothing."""
        return self.crop

    @classmethod
    def wanted(cls, path: str) -> bool:
        """Returns whether a file is not one of the unlabelled test images."""
        return not path.startswith(f"{FOLDER}/test/")

    @classmethod
    def listing(cls, folder: Path) -> Listing:
        """Lists training images by folder and number, and test images by ``val_annotations.txt``.

        Raises:
            DataError: A list is missing, or a test image has a class that is not in ``wnids.txt``.
        """
        from trainables.preparation.recipes import Listing

        top = folder / FOLDER
        classes = tuple(sorted(read_lines(top / "wnids.txt")))
        refuse_outside(list(classes), top / "wnids.txt")
        train = [(f"{FOLDER}/{name}", label) for label, wnid in enumerate(classes) for name in _images_of(top, wnid)]
        annotations = top / "val" / "val_annotations.txt"
        rows = [line.split("\t") for line in read_lines(annotations)]
        refuse_outside([row[0] for row in rows], annotations)
        labels = {wnid: label for label, wnid in enumerate(classes)}
        if unknown := [row for row in rows if len(row) < 2 or row[1] not in labels]:
            raise DataError(f"{annotations} has the line {' '.join(unknown[0])!r}, whose class is not in wnids.txt")
        return Listing(classes, train, [(f"{FOLDER}/val/images/{row[0]}", labels[row[1]]) for row in rows])


def _images_of(top: Path, wnid: str) -> list[str]:
    """Returns the paths, relative to ``top``, of a class's training images ``<wnid>_<number>.JPEG``."""
    names = [path.name for path in (top / "train" / wnid / "images").glob("*")]
    try:
        names.sort(key=lambda name: int(name.removeprefix(f"{wnid}_").partition(".")[0]))
    except ValueError as error:
        raise DataError(f"{top / 'train' / wnid / 'images'} contains files with other names ({error})") from error
    return [f"train/{wnid}/images/{name}" for name in names]
