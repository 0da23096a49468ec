import itertools

import numpy as np
import pytest
import torch

from trainables.batches.augmentation import CropDraws, ImageStore, draw_crops
from trainables.interfaces import Augmentation

CPU = torch.device("cpu")
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
IMAGES = np.random.default_rng(0).integers(0, 256, size=(3, 5, 7, 3), dtype=np.uint8)


def reference(image, padding, top, left, flip):
    """Pads, crops, flips, scales and normalises with NumPy in float64; channels first."""
    height, width, _ = image.shape
    padded = np.zeros((height + 2 * padding, width + 2 * padding, 3))
    padded[padding : padding + height, padding : padding + width] = image / 255
    crop = padded[top : top + height, left : left + width]
    if flip:
        crop = crop[:, ::-1]
    return ((crop - MEAN) / STD).transpose(2, 0, 1)


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_augmented_equals_numpy_for_every_offset_and_flip(padding):
    store = ImageStore(IMAGES, MEAN, STD, padding, CPU)
    offsets = range(2 * padding + 1)
    cases = list(itertools.product(range(len(IMAGES)), offsets, offsets, (False, True)))
    index, top, left, flip = (torch.tensor(column) for column in zip(*cases, strict=True))
    found = store.augmented(index, CropDraws(top, left, flip))
    expected = np.stack([reference(IMAGES[i], padding, t, x, f) for i, t, x, f in cases])
    assert found.dtype is torch.float32
    torch.testing.assert_close(found.double(), torch.from_numpy(expected), rtol=0, atol=2e-6)


def test_padding_is_black_before_normalisation():
    white = np.full((1, 4, 4, 3), 255, np.uint8)
    store = ImageStore(white, MEAN, STD, 2, CPU)
    zero, no_flip = torch.tensor([0]), torch.tensor([False])
    found = store.augmented(zero, CropDraws(zero, zero, no_flip))[0]
    black, full = (torch.tensor([(value - m) / s for m, s in zip(MEAN, STD, strict=True)]) for value in (0, 1))
    torch.testing.assert_close(found[:, :2].amax(dim=(1, 2)), black)
    torch.testing.assert_close(found[:, 2:, 2:].amin(dim=(1, 2)), full)


@pytest.mark.parametrize("padding", [0, 2])
def test_plain_is_the_whole_image_in_the_requested_order(padding):
    store = ImageStore(IMAGES, MEAN, STD, padding, CPU)
    found = store.plain(torch.tensor([2, 0, 2]))
    expected = np.stack([reference(IMAGES[i], 0, 0, 0, flip=False) for i in (2, 0, 2)])
    torch.testing.assert_close(found.double(), torch.from_numpy(expected), rtol=0, atol=2e-6)


def test_batches_are_channels_last_and_the_images_are_unchanged():
    images = IMAGES.copy()
    store = ImageStore(images, MEAN, STD, 1, CPU)
    index = torch.arange(3)
    draws = CropDraws(index, index, index == 1)
    batches = [store.plain(index), store.augmented(index, draws)]
    for batch in batches:
        assert batch.shape == (3, 3, 5, 7)
        assert batch.is_contiguous(memory_format=torch.channels_last)
        batch.zero_()
    assert store.plain(index).abs().sum() > 0
    assert np.array_equal(images, IMAGES)


def test_draws_are_uniform_and_independent():
    count, padding = 40_000, 2
    draws = draw_crops(np.random.default_rng(1), count, Augmentation(padding=padding, flip=0.25), CPU)
    offsets = 2 * padding + 1
    cells = torch.bincount(draws.top * offsets + draws.left, minlength=offsets**2).double()
    expected = count / offsets**2
    statistic = float(((cells - expected) ** 2 / expected).sum())
    assert statistic < 24 + 3.3 * 48**0.5
    assert abs(float(draws.flip.double().mean()) - 0.25) < 4 * (0.25 * 0.75 / count) ** 0.5
    flips_of_cell = torch.bincount(draws.top * offsets + draws.left, draws.flip.double()) / cells
    assert float((flips_of_cell - 0.25).abs().max()) < 4.5 * (0.25 * 0.75 / expected) ** 0.5


@pytest.mark.parametrize(("flip", "flips"), [(0.0, 0), (1.0, 100)])
def test_flip_probabilities_0_and_1_are_exact(flip, flips):
    draws = draw_crops(np.random.default_rng(0), 100, Augmentation(padding=0, flip=flip), CPU)
    assert int(draws.flip.sum()) == flips
    assert not draws.top.any()
    assert not draws.left.any()


def test_draws_depend_only_on_the_numpy_generator():
    before = torch.get_rng_state()
    first, second, other = (
        draw_crops(np.random.default_rng(seed), 50, Augmentation(padding=4, flip=0.5), CPU) for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.top, second.top)
    assert torch.equal(first.flip, second.flip)
    assert not torch.equal(first.left, other.left)


def test_a_batch_of_draws_is_a_slice():
    draws = draw_crops(np.random.default_rng(0), 10, Augmentation(padding=4, flip=0.5), CPU)
    part = draws.batch(3, 7)
    assert torch.equal(part.top, draws.top[3:7])
    assert torch.equal(part.left, draws.left[3:7])
    assert torch.equal(part.flip, draws.flip[3:7])
