"""Crops of images of different sizes are the same on a GPU, to a grey level."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from trainables.images import RaggedImages
from trainables.interfaces import ResizedCrop
from trainables.resized_crops import RaggedStore

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
SPEC = ResizedCrop(size=64, resize=73)


def images(count=40) -> RaggedImages:
    rng = np.random.default_rng(0)
    sizes = rng.integers(80, 200, (count, 2))
    areas = 3 * sizes.prod(axis=1)
    pixels = rng.integers(0, 256, areas.sum(), np.uint8)
    return RaggedImages((pixels,), ("noise",), np.zeros(count, np.int64), np.cumsum(areas) - areas, sizes)


def levels(store: RaggedStore, index: np.ndarray) -> list[np.ndarray]:
    draws = store.draw(np.random.default_rng(1), index, SPEC)
    place = torch.from_numpy(index).to(draws.flip.device)
    return [(each * 255).round().cpu().numpy() for each in (store.augmented(place, draws), store.plain(place))]


@pytest.mark.parametrize(("memory_limit", "most"), [(1 << 30, 2), (0, 0)])
def test_a_gpu_makes_the_crops_of_a_cpu(memory_limit, most):
    mean, std = (0.0,) * 3, (1.0,) * 3
    index = np.random.default_rng(2).permutation(40)
    stores = [
        RaggedStore(replace(images(), memory_limit=memory_limit), SPEC, mean, std, torch.device(name))
        for name in ("cpu", "cuda")
    ]
    on_cpu, on_gpu = (levels(store, index) for store in stores)
    for expected, found in zip(on_cpu, on_gpu, strict=True):
        assert np.abs(expected - found).max() <= most
