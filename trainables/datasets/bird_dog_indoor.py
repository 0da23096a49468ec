"""Mixed data set of birds, dogs and indoor scenes: 387 classes in three groups, 30 training images each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from trainables.batches.splits import class_sizes, draw_per_class
from trainables.datasets.cub200 import Cub200
from trainables.datasets.mit67 import Mit67
from trainables.datasets.stanford_dogs import StanfordDogs
from trainables.errors import DataError
from trainables.files.durable import digest_of, write_atomic
from trainables.interfaces import Counts, LabelledImages, Options, StoredData, ValidationSplit
from trainables.interfaces.dataset import Progress, no_progress
from trainables.interfaces.ragged_images import RaggedImages, join
from trainables.preparation.archives import data_folder, exclusive
from trainables.preparation.prepared_dataset import CroppedDataset, PreparedDataset

GROUPS: dict[str, type[PreparedDataset]] = {"bird": Cub200, "dog": StanfordDogs, "indoor": Mit67}


class Expected(Options):
    """Counts of the three data sets, if only a part of the published data is used.

    Attributes:
        cub200: Counts of CUB-200-2011; None for all of it.
        stanford_dogs: Counts of Stanford Dogs; None for all of it.
        mit67: Counts of MIT Indoor Scenes; None for all of it.
    """

    cub200: Counts | None = None
    stanford_dogs: Counts | None = None
    mit67: Counts | None = None


class BirdDogIndoor(CroppedDataset):
    """CUB-200-2011, Stanford Dogs and MIT67 as one data set with a hierarchy (paper, section 3.3, figure 4).

    Labels 0 to 199 are birds, 200 to 319 dogs, 320 to 386 rooms. ``per_class`` training images of each class are drawn
    from the three training parts with ``sample_seed`` and listed in a file. A class with fewer images contributes all:
    six bird species have 29, so that 11,604 images are drawn instead of 11,610. The test part consists of the three
    test parts, 15,714 images.

    Attributes:
        per_class: Number of training images per class.
        sample_seed: Seed of the draw.
        expect: Counts of the three data sets, if only a part of the published data is used.
    """

    per_class: int = Field(default=30, ge=2)
    sample_seed: int = Field(default=0, ge=0)
    expect: Expected = Expected()
    validation: ValidationSplit = ValidationSplit(per_class=3)

    def sets(self) -> dict[str, PreparedDataset]:
        """Returns the three data sets by group, in label order."""
        options = {"root": self.root, "crop": self.crop, "stored_side": self.stored_side}
        return {
            group: kind(**options, memory_limit=self.memory_limit, expect=getattr(self.expect, kind.part_name()))
            for group, kind in GROUPS.items()
        }

    def samples_path(self) -> Path:
        """Returns the path of the list of training images."""
        return data_folder(self.root) / self._samples_name()

    def _samples_name(self) -> str:
        name = f"samples-{self.per_class}-seed-{self.sample_seed}"
        parts = f"-part-{digest_of(self.model_dump(mode='json')['expect'])}" if self.expect != Expected() else ""
        return f"{self.part_name()}/{name}{parts}.json"

    def kept(self) -> tuple[str, ...]:
        """Returns the relative paths of the three prepared files and the list of training images."""
        return (*(name for each in self.sets().values() for name in each.kept()), self._samples_name())

    def _read(self, part: Literal["train", "test"]) -> LabelledImages:
        """Joins the parts of the three data sets; of the training parts, only the listed images.

        Raises:
            DataError: A prepared file or the list is missing or damaged, or they do not match.
        """
        read = {group: each._read(part) for group, each in self.sets().items()}
        if part == "train":
            samples = self._stored_samples(read)
            read = {group: images.take(samples[group]) for group, images in read.items()}
        offsets = np.cumsum([0, *(len(images.classes) for images in read.values())])
        parts = list(read.values())
        return LabelledImages(
            join([each.images for each in parts if isinstance(each.images, RaggedImages)]),
            np.concatenate([each.labels + offset for each, offset in zip(parts, offsets, strict=False)]),
            tuple(name for each in parts for name in each.classes),
            tuple(group for group, each in read.items() for _ in each.classes),
        )

    def _stored_samples(self, read: dict[str, LabelledImages]) -> dict[str, NDArray[np.int64]]:
        path = self.samples_path()
        try:
            content = json.loads(path.read_text())
            samples = {group: np.array(content["places"][group], np.int64) for group in read}
        except FileNotFoundError:
            raise DataError(f"{path} is missing; {self._cure()}") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is damaged ({error}); remove it, then {self._cure()}") from error
        drawn = {group: self._draw(images) for group, images in read.items()}
        if any(not np.array_equal(samples[group], drawn[group]) for group in read):
            raise DataError(f"{path} is damaged or was drawn from other data; remove it, then {self._cure()}")
        return samples

    def _draw(self, images: LabelledImages) -> NDArray[np.int64]:
        counts = np.minimum(class_sizes(images.labels, len(images.classes)), self.per_class)
        return draw_per_class(images.labels, counts, self.sample_seed)

    def prepare(self, archives: list[Path], progress: Progress = no_progress) -> StoredData:
        """Prepares the three data sets, then draws and stores the list of training images.

        Raises:
            DataError: A data set cannot be prepared, or an archive belongs to none of them.
        """
        sets = self.sets()
        names = {group: {file.name for file in each.files} for group, each in sets.items()}
        if unknown := [path for path in archives if not any(path.name in each for each in names.values())]:
            raise DataError(f"{unknown[0]} is not a file of {', '.join(kind.part_name() for kind in GROUPS.values())}")
        for group, each in sets.items():
            each.prepare([path for path in archives if path.name in names[group]], progress)
        with exclusive(self.samples_path().parent):
            self._store_samples({group: each._read("train") for group, each in sets.items()})
        return self.stored()[0]

    def _store_samples(self, read: dict[str, LabelledImages]) -> None:
        path = self.samples_path()
        if path.exists():
            self._stored_samples(read)
            return
        from trainables.preparation.arrow_file import PreparedFile

        places = {group: self._draw(images) for group, images in read.items()}
        names = {
            group: np.array(PreparedFile(each.prepared_path(), self._cure()).names("train"))[places[group]].tolist()
            for group, each in self.sets().items()
        }
        lists = {group: each.tolist() for group, each in places.items()}
        content = {"per_class": self.per_class, "seed": self.sample_seed, "places": lists, "names": names}
        write_atomic(path, json.dumps(content, indent=0).encode())

    def stored(self) -> list[StoredData]:
        """Returns the list of training images with its counts; state ``missing`` if a data set is not prepared."""
        found = {group: each.stored_file() for group, each in self.sets().items()}
        unready = [each.note for each in found.values() if each.state != "ready"]
        if unready or not self.samples_path().exists():
            return [StoredData("missing", self.samples_path(), note=self._cure())]
        size, part = self.samples_path().stat().st_size, self.expect != Expected()
        try:
            train = self._read("train")
        except DataError as error:
            return [StoredData("damaged", self.samples_path(), part=part, nbytes=size, note=str(error))]
        fewer = int((class_sizes(train.labels, len(train.classes)) < self.per_class).sum())
        test = sum(each.counts.test for each in found.values() if each.counts is not None)
        counts = Counts(classes=len(train.classes), train=len(train.labels), test=test)
        note = f"{fewer} classes have fewer than {self.per_class} training images" if fewer else ""
        return [StoredData("ready", self.samples_path(), counts, part, size, note)]

    def _cure(self) -> str:
        sets = self.expect.model_dump(exclude_none=True).items()
        expected = [f"--set expect.{name}.{key}={count}" for name, counts in sets for key, count in counts.items()]
        return self._prepare_command(("stored_side", "per_class", "sample_seed"), expected)
