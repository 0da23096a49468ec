"""What a data set says of its preparation: which files, which images, how many, how large."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from trainables.interfaces.dataset_options import Counts
from trainables.preparation.archives import PublishedFile


class Listing(NamedTuple):
    """The images of a data set, in the published order: path below the unpacked folder, and label.

    Attributes:
        classes: Names, in label order.
        groups: Group of each class, where there is a hierarchy.
    """

    classes: tuple[str, ...]
    train: list[tuple[str, int]]
    test: list[tuple[str, int]]
    groups: tuple[str, ...] = ()

    @property
    def counts(self) -> Counts:
        """What is listed."""
        return Counts.model_construct(classes=len(self.classes), train=len(self.train), test=len(self.test))


@dataclass(frozen=True)
class Recipe:
    """How a data set is prepared.

    Attributes:
        name: Of the data set.
        path: The prepared file.
        files: What its authors offer.
        counts: What it must hold.
        part: Whether ``counts`` are those of a part; the files then need not be the published ones.
        side: Shorter side that larger images are brought to; None for the size as it is.
        wanted: Whether a file of an archive is needed, by its path there.
        listing: Lists the images in the unpacked folder.
    """

    name: str
    path: Path
    files: tuple[PublishedFile, ...]
    counts: Counts
    part: bool
    side: int | None
    wanted: Callable[[str], bool]
    listing: Callable[[Path], Listing]
