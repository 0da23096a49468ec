from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.batches.splits import data_digest, draw_per_class, split_training
from trainables.errors import DataError
from trainables.interfaces import LabelledImages, ValidationSplit


def images_of(labels, classes=None):
    labels = np.array(labels, np.int64)
    names = tuple(f"class{label}" for label in range(classes or labels.max() + 1))
    return LabelledImages(np.zeros((len(labels), 1, 1, 3), np.uint8), labels, names)


LABELS = np.arange(30) % 3


@given(st.lists(st.integers(3, 30), min_size=2, max_size=8), st.floats(0.01, 0.3), st.integers(0, 2**40))
def test_every_class_keeps_its_fraction(sizes, fraction, seed):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    split = split_training(images_of(labels), ValidationSplit(fraction=fraction, seed=seed))
    assert np.array_equal(np.sort(np.concatenate([split.train, split.validation])), np.arange(len(labels)))
    assert split.train.dtype == split.validation.dtype == np.int64
    assert (np.diff(split.train) > 0).all()
    assert (np.diff(split.validation) > 0).all()
    expected = [max(1, round(size * fraction)) for size in sizes]
    assert np.bincount(labels[split.validation]).tolist() == expected


def test_images_per_class():
    split = split_training(images_of(LABELS), ValidationSplit(per_class=4))
    assert np.bincount(LABELS[split.validation]).tolist() == [4, 4, 4]


def test_the_split_has_fixed_values():
    split = split_training(images_of(LABELS), ValidationSplit(per_class=2, seed=0))
    assert split.validation.tolist() == [1, 3, 11, 13, 20, 21]
    assert split.digest == "9f31f7b5d08af91c"


def test_the_digest_depends_on_seed_and_data():
    other_labels = LABELS.copy()
    other_labels[[0, 1]] = other_labels[[1, 0]]
    digests = {
        split_training(images_of(labels), ValidationSplit(per_class=2, seed=seed)).digest
        for labels in (LABELS, other_labels)
        for seed in (0, 1)
    }
    assert len(digests) == 4


def test_every_image_of_a_class_is_drawn_sometimes():
    drawn = [draw_per_class(LABELS, np.array([1, 1, 1]), seed) for seed in range(200)]
    counts = np.bincount(np.concatenate(drawn), minlength=30)
    assert ((counts - 20) ** 2 / 20).sum() < 58.3  # chi-square with 29 degrees of freedom, p = 0.001


@pytest.mark.parametrize(
    ("labels", "validation"),
    [([0, 0, 0, 1, 1], {"fraction": 0.1}), ([0] * 9 + [1] * 4, {"per_class": 3}), ([0, 0, 0, 0], {"fraction": 0.5})],
)
def test_a_class_without_pairs_is_refused_by_name(labels, validation):
    with pytest.raises(DataError, match="'class1' has"):
        split_training(images_of(labels, classes=2), ValidationSplit(**validation))


@pytest.mark.parametrize("label", [-1, 2])
@pytest.mark.bad_input(36)
def test_a_label_out_of_range_is_refused(label):
    with pytest.raises(DataError, match=f"image 3 has the label {label}"):
        split_training(images_of([0, 0, 1, label, 1], classes=2), ValidationSplit(per_class=1))


def test_the_data_digest_depends_on_every_pixel_label_and_name():
    images = LabelledImages(np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 0, 1, 1]), ("a", "b"))
    pixels = images.images.copy()
    pixels[3, 7, 7, 2] = 1
    others = [
        replace(images, images=pixels),
        replace(images, labels=np.array([0, 1, 0, 1])),
        replace(images, classes=("a", "c")),
        replace(images, images=images.images.reshape(4, 4, 16, 3)),
    ]
    assert len({data_digest(each) for each in (images, *others)}) == 5
    assert data_digest(replace(images, images=images.images.copy())) == data_digest(images)
