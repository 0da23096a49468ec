"""MIT Indoor Scenes: photographs of 67 categories of indoor scenes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from trainables.errors import DataError
from trainables.interfaces import Counts, ValidationSplit
from trainables.preparation.archives import PublishedFile
from trainables.preparation.prepared_dataset import PreparedDataset, read_lines, refuse_outside

if TYPE_CHECKING:
    from trainables.preparation.recipes import Listing


class Mit67(PreparedDataset):
    """5,360 training and 1,340 test photographs of 67 categories of indoor scenes (Quattoni and Torralba 2009).

    The archive contains about 15,600 images; two lists select those that are used. Classes are sorted by name. No
    checksums are published: those of the first files used are recorded beside the prepared file.
    """

    files: ClassVar[tuple[PublishedFile, ...]] = (
        PublishedFile("indoorCVPR_09.tar", "http://groups.csail.mit.edu/vision/LabelMe/NewImages/indoorCVPR_09.tar"),
        PublishedFile("TrainImages.txt", "http://web.mit.edu/torralba/www/TrainImages.txt", packed=False),
        PublishedFile("TestImages.txt", "http://web.mit.edu/torralba/www/TestImages.txt", packed=False),
    )
    published: ClassVar[Counts] = Counts(classes=67, train=5_360, test=1_340)

    validation: ValidationSplit = ValidationSplit(per_class=8)

    @classmethod
    def listing(cls, folder: Path) -> Listing:
        """Reads the two lists of ``class/file``.

        Raises:
            DataError: A list is missing, or a line is not ``class/file``.
        """
        from trainables.preparation.recipes import Listing

        train, test = (_names(folder / f"{part}Images.txt") for part in ("Train", "Test"))
        classes = tuple(sorted({name.partition("/")[0] for name in [*train, *test]}))
        labels = {name: label for label, name in enumerate(classes)}
        rows = [[(f"Images/{name}", labels[name.partition("/")[0]]) for name in names] for names in (train, test)]
        return Listing(classes, rows[0], rows[1])


def _names(path: Path) -> list[str]:
    names = read_lines(path)
    refuse_outside(names, path)
    if invalid := [name for name in names if name.count("/") != 1]:
        raise DataError(f"{path} has the line {invalid[0]!r}, which is not class/file; fetch the published list")
    return names
