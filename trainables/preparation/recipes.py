"""Recipe of a data set's preparation: source files, images, expected counts and size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from trainables.interfaces.dataset_options import Counts
from trainables.preparation.archives import PublishedFile


class Listing(NamedTuple):
    """Images of a data set, in the published order.

    Attributes:
        classes: Class names, in label order.
        train: Path relative to the unpacked folder and label of each training image.
        test: Path relative to the unpacked folder and label of each test image.
        groups: Group of each class; empty if the classes have no hierarchy.
    """

    classes: tuple[str, ...]
    train: list[tuple[str, int]]
    test: list[tuple[str, int]]
    groups: tuple[str, ...] = ()

    @property
    def counts(self) -> Counts:
        """Number of classes, training images and test images."""
        return Counts.model_construct(classes=len(self.classes), train=len(self.train), test=len(self.test))


@dataclass(frozen=True)
class Recipe:
    """Recipe of a data set.

    Attributes:
        name: Name of the data set.
        path: Prepared file to create.
        files: Published source files.
        counts: Expected number of classes, training images and test images.
        part: Whether ``counts`` describe a part of the data; the source files then may differ from the published ones.
        side: Shorter side to which larger images are resized, in pixels; None to keep the size.
        wanted: Predicate on paths in an archive; selects the files to unpack.
        listing: Function that lists the images in the folder of the unpacked files.
    """

    name: str
    path: Path
    files: tuple[PublishedFile, ...]
    counts: Counts
    part: bool
    side: int | None
    wanted: Callable[[str], bool]
    listing: Callable[[Path], Listing]
