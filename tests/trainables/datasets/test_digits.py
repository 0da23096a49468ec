import numpy as np
import pytest
from sklearn.datasets import load_digits

from trainables.datasets.digits import Digits


@pytest.fixture(scope="module")
def parts():
    return Digits()._read("train"), Digits()._read("test")


def test_parts_are_halves_of_each_class(parts):
    for part in parts:
        assert part.classes == tuple("0123456789")
        assert part.labels.dtype == np.int64
        assert np.bincount(part.labels).min() >= 87
    assert [len(part.labels) for part in parts] == [899, 898]


def test_parts_are_disjoint_and_complete(parts):
    published = np.rint(load_digits().images * 255 / 16).astype(np.uint8)
    rows = sorted(image[..., 0].tobytes() for part in parts for image in part.images)
    assert rows == sorted(image.tobytes() for image in published)


def test_images_are_grey_and_use_the_full_range(parts):
    for part in parts:
        assert part.images.shape[1:] == (8, 8, 3)
        assert part.images.dtype == np.uint8
        assert (part.images == part.images[..., :1]).all()
        assert part.images.min() == 0
        assert part.images.max() == 255


def test_normalisation_constants_match_the_training_part(parts):
    scaled = parts[0].images / 255
    np.testing.assert_allclose(scaled.mean(axis=(0, 1, 2)), Digits.mean, atol=5e-5)
    np.testing.assert_allclose(scaled.std(axis=(0, 1, 2)), Digits.std, atol=5e-5)


def test_parts_do_not_change(parts):
    assert [part.labels[:12].tolist() for part in parts] == [
        [0, 4, 5, 6, 7, 8, 9, 0, 2, 4, 6, 7],
        [1, 2, 3, 1, 3, 5, 8, 9, 0, 1, 5, 9],
    ]
