"""Handwritten digits from scikit-learn; needs no download."""

from typing import ClassVar, Literal

import numpy as np

from trainables.batches.splits import class_sizes, draw_per_class, fraction_of
from trainables.interfaces import Augmentation, Counts, Dataset, LabelledImages, StoredData

TEST_FRACTION = 0.5
TEST_SEED = 0


class Digits(Dataset):
    """1,797 images of the ten digits, 8x8, grey (Alpaydin and Kaynak 1998, UCI; the copy in scikit-learn).

    There is no published test part: half of each class, drawn with a fixed seed, serves as the test part. Grey levels 0
    to 16 are scaled to 0 to 255 and repeated in three channels. ``root`` is not used.
    """

    mean: ClassVar[tuple[float, float, float]] = (0.3056, 0.3056, 0.3056)
    std: ClassVar[tuple[float, float, float]] = (0.3759, 0.3759, 0.3759)
    augmentation: ClassVar[Augmentation] = Augmentation(padding=1, flip=0.0)

    def stored(self) -> list[StoredData]:
        """Returns one entry with state ``built in``."""
        return [StoredData("built in", counts=Counts(classes=10, train=899, test=898))]

    def kept(self) -> tuple[str, ...]:
        """Returns an empty tuple: reading needs no files."""
        return ()

    def _read(self, part: Literal["train", "test"]) -> LabelledImages:
        """Reads a part from the installed scikit-learn."""
        from sklearn.datasets import load_digits

        grey, labels = load_digits(return_X_y=True)
        labels = labels.astype(np.int64)
        test = draw_per_class(labels, fraction_of(class_sizes(labels, 10), TEST_FRACTION), TEST_SEED)
        chosen = test if part == "test" else np.setdiff1d(np.arange(len(labels)), test)
        images = np.rint(grey[chosen].reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8).repeat(3, axis=3)
        return LabelledImages(images, labels[chosen], tuple("0123456789"))
