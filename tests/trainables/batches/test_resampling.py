import numpy as np
import pytest
import torch
from PIL import Image

from trainables.batches.resampling import resize_box, resize_boxes, triangle_weights

SHAPES = [(97, 130), (256, 341), (300, 90), (40, 40), (11, 500)]


def smooth_noise(shape, seed):
    """Image with detail at all scales."""
    rng = np.random.default_rng(seed)
    image = np.zeros((*shape, 3))
    for size in (3, 9, 40, max(shape)):
        coarse = Image.fromarray(rng.integers(0, 256, (size, size, 3), np.uint8))
        image += np.asarray(coarse.resize(shape[::-1], Image.Resampling.BICUBIC))
    return (image / 4).astype(np.uint8)


def random_box(shape, rng):
    height, width = (int(rng.integers(1, side + 1)) for side in shape)
    return int(rng.integers(0, shape[0] - height + 1)), int(rng.integers(0, shape[1] - width + 1)), height, width


def pillow(image, box, size):
    top, left, height, width = box
    cut = Image.fromarray(image[top : top + height, left : left + width])
    return np.asarray(cut.resize((size, size), Image.Resampling.BILINEAR)).astype(int)


def batched(images, boxes, size):
    pixels = torch.from_numpy(np.concatenate([image.reshape(-1, 3) for image in images]))
    areas = np.array([image.shape[0] * image.shape[1] for image in images])
    first = torch.from_numpy(np.cumsum(areas) - areas)
    width = torch.tensor([image.shape[1] for image in images])
    extent = (max(box[2] for box in boxes) + 3, max(box[3] for box in boxes))
    return resize_boxes(pixels, first, width, torch.tensor(boxes), size, extent)


@pytest.mark.parametrize("size", [5, 32, 224])
def test_a_batch_of_boxes_agrees_with_pillow_to_one_grey_level(size):
    rng = np.random.default_rng(size)
    images = [smooth_noise(shape, seed) for seed, shape in enumerate(SHAPES * 4)]
    boxes = [random_box(image.shape[:2], rng) for image in images]
    found = batched(images, boxes, size)
    assert found.shape == (len(images), size, size, 3)
    for image, box, each in zip(images, boxes, found.numpy(), strict=True):
        assert np.abs(each - pillow(image, box, size)).max() <= 1


@pytest.mark.parametrize("size", [5, 32, 224])
def test_a_single_box_agrees_with_pillow(size):
    rng = np.random.default_rng(size)
    differences = []
    for seed, shape in enumerate(SHAPES * 4):
        image = smooth_noise(shape, seed)
        box = random_box(shape, rng)
        found = resize_box(torch.from_numpy(image), box, (size, size)).numpy().astype(int)
        differences.append(np.abs(found - pillow(image, box, size)).ravel())
    together = np.concatenate(differences)
    assert together.max() <= 2
    assert (together > 1).mean() < 1e-5


def test_a_box_of_the_requested_size_is_unchanged():
    image = smooth_noise((50, 60), 0)
    assert np.array_equal(batched([image], [(3, 4, 20, 20)], 20)[0].numpy(), image[3:23, 4:24])
    assert np.array_equal(resize_box(torch.from_numpy(image), (3, 4, 20, 20), (20, 20)), image[3:23, 4:24])


def test_weights_sum_to_one_and_stay_inside():
    length = torch.tensor([1, 2, 7, 40])
    weights = triangle_weights(length, size=6, extent=40)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(4, 6))
    assert all(not weights[row, :, count:].any() for row, count in enumerate(length.tolist()))
    torch.testing.assert_close(
        weights,
        weights.flip(1).gather(2, (length[:, None, None] - 1 - torch.arange(40)).clamp(min=0).expand(4, 6, 40))
        * (torch.arange(40) < length[:, None, None]),
    )
