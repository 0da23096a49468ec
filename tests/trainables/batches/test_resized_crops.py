import io
import tarfile
import threading
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image

from tests.kit.inputs.crops import (
    AMPLE,
    ONE,
    SPEC,
    VIEWS,
    ZERO,
    assert_same_batches,
    crop_pipeline,
    levels,
    noise,
    ragged,
    snapshots,
)
from tests.kit.inputs.training import small_config, trainer_of
from trainables.batches.image_store import Mirrored
from trainables.batches.resized_crops import BoxDraws, RaggedStore, centre_box, draw_boxes
from trainables.files.prefetch import THREAD_NAME
from trainables.interfaces import ResizedCrop
from trainables.interfaces.ragged_images import join

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def birds(cub50_archive):
    """60 photographs, decoded."""
    images = []
    with tarfile.open(cub50_archive) as tar:
        for member in tar:
            if member.name.endswith(".jpg"):
                images.append(np.array(Image.open(io.BytesIO(tar.extractfile(member).read())).convert("RGB")))
            if len(images) == 60:
                return images
    raise AssertionError


@pytest.mark.parametrize("size", [64, 224])
def test_training_crops_of_photographs_agree_with_torchvision(birds, size):
    spec = ResizedCrop(size=size, resize=round(size * 256 / 224))
    store = RaggedStore(ragged(birds), spec, ZERO, ONE, CPU)
    index = np.random.default_rng(1).permutation(np.repeat(np.arange(len(birds)), 5))
    draws = store.draw(np.random.default_rng(2), index, spec)
    resident = RaggedStore(ragged(birds), spec, ZERO, ONE, CPU)
    resident._may_reside = True  # as on other devices
    found = [levels(each.augmented(torch.from_numpy(index), draws)) for each in (store, resident)]
    beyond = np.zeros(2)
    for row, image in enumerate(index):
        top, left, height, width = draws.boxes.host[row].tolist()
        cut = Image.fromarray(birds[image][top : top + height, left : left + width])
        expected = np.asarray(cut.resize((size, size), Image.Resampling.BILINEAR)).astype(int)
        expected = expected[:, ::-1] if draws.flip.host[row] else expected
        difference = [np.abs(each[row] - expected) for each in found]
        assert difference[0].max() <= 2
        assert difference[1].max() <= 1
        beyond += [(each > 1).mean() / len(index) for each in difference]
    assert beyond[0] < 1e-6


@pytest.mark.parametrize(("size", "resize"), [(64, 73), (224, 256), (32, 32)])
def test_test_crops_of_photographs_agree_with_torchvision(birds, size, resize):
    from trainables.models.layers.torchvision_import import torchvision

    reference = torchvision.transforms.Compose(
        [torchvision.transforms.Resize(resize), torchvision.transforms.CenterCrop(size)]
    )
    expected = np.stack([np.asarray(reference(Image.fromarray(image))) for image in birds]).astype(int)
    images, spec = ragged(birds), ResizedCrop(size=size, resize=resize)
    for each in (images, replace(images, memory_limit=0)):
        found = levels(RaggedStore(each, spec, ZERO, ONE, CPU).plain(torch.arange(len(birds))))
        difference = np.abs(found - expected)
        assert difference.max() <= 2
        assert (difference > 1).mean() < 1e-6


def test_boxes_lie_inside_and_follow_torchvisions_distribution():
    from trainables.models.layers.torchvision_import import torchvision

    size, spec = (120, 160), ResizedCrop(size=64, resize=73)
    drawn = draw_boxes(np.random.default_rng(0), np.tile(size, (20_000, 1)), spec)
    torch.manual_seed(0)
    image = torch.zeros(3, *size)
    get = torchvision.transforms.RandomResizedCrop.get_params
    reference = np.array([get(image, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(20_000)])
    assert (drawn >= [0, 0, 1, 1]).all()
    assert (drawn[:, :2] + drawn[:, 2:] <= size).all()
    for column in range(4):
        quantiles = [np.quantile(each[:, column], np.linspace(0.05, 0.85, 9)) for each in (drawn, reference)]
        np.testing.assert_allclose(*quantiles, atol=3)


@pytest.mark.parametrize(("size", "expected"), [((10, 400), (0, 193, 10, 13)), ((400, 10), (193, 0, 13, 10))])
def test_the_central_box_is_used_if_no_box_fits(size, expected):
    spec = ResizedCrop(size=8, resize=9, area=(1.0, 1.0))
    assert draw_boxes(np.random.default_rng(0), np.array([size]), spec).tolist() == [list(expected)]


def test_draws_do_not_depend_on_torch_or_the_device():
    store = RaggedStore(ragged(noise([(80, 90)] * 20)), SPEC, ZERO, ONE, CPU)
    torch.manual_seed(0)
    first = store.draw(np.random.default_rng(5), np.arange(20), SPEC)
    torch.manual_seed(1)
    again = store.draw(np.random.default_rng(5), np.arange(20), SPEC)
    assert torch.equal(first.boxes.host, again.boxes.host)
    assert torch.equal(first.flip.host, again.flip.host)
    assert 0 < first.flip.host.sum() < 20
    part = first.batch(3, 7)
    for each in ("host", "device"):
        assert torch.equal(getattr(part.boxes, each), first.boxes.host[3:7])
        assert torch.equal(getattr(part.flip, each), first.flip.host[3:7])


@pytest.mark.parametrize(("largest", "extent"), [((31, 32), (32, 32)), ((33, 1), (64, 32))])
def test_a_batch_is_as_large_as_its_own_boxes_in_whole_tiles(largest, extent):
    boxes = torch.tensor([[0, 0, 500, 400], [3, 4, *largest], [0, 0, 1, 1]])
    draws = BoxDraws(Mirrored.of(boxes, CPU), Mirrored.of(torch.zeros(3, dtype=torch.bool), CPU))
    assert draws.extent == (512, 416)
    assert draws.batch(1, 3).extent == extent


def test_batches_are_normalised_and_channels_last():
    images = noise([(8, 8), (8, 8)])
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    store = RaggedStore(ragged(images), ResizedCrop(size=8, resize=8), mean, std, CPU)
    boxes, flip = torch.tensor([[0, 0, 8, 8]] * 2), torch.tensor([False, True])
    whole = BoxDraws(Mirrored.of(boxes, CPU), Mirrored.of(flip, CPU))
    for found, mirrored in ((store.plain(torch.arange(2)), False), (store.augmented(torch.arange(2), whole), True)):
        shown = [images[0], images[1][:, ::-1] if mirrored else images[1]]
        expected = torch.from_numpy((np.stack(shown) / 255 - mean) / std).permute(0, 3, 1, 2)
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=2e-6)
        assert found.is_contiguous(memory_format=torch.channels_last)


def test_the_central_square():
    assert centre_box(256, 341, 224, 256) == ((256, 341), (16, 58))
    assert centre_box(341, 256, 224, 256) == ((341, 256), (58, 16))
    assert centre_box(64, 64, 32, 32) == ((32, 32), (0, 0))


def test_images_of_several_buffers():
    images = noise([(5, 6), (7, 8), (9, 4)])
    joined = join([ragged(images[:2]), ragged(images[2:])]).take(np.array([2, 0]))
    assert len(joined) == 2
    assert np.array_equal(joined[0], images[2])
    assert np.array_equal(joined[1], images[0])
    assert joined.nbytes == 3 * (36 + 30)
    assert joined.digest() != joined.take(np.array([1, 0])).digest()


def test_an_epoch_of_crops_can_be_drawn_without_the_earlier_ones():
    used = crop_pipeline(CPU)
    list(used.batches(0))
    again = list(used.batches(1))
    assert_same_batches(crop_pipeline(CPU).batches(1), again)
    for batch in again:
        assert not torch.equal(batch.views["anchor"], batch.views["partner"])
        assert batch.views["plain"].shape == (len(batch.labels), 3, 64, 64)


@pytest.mark.parametrize("memory_limit", [0, AMPLE], ids=["no centres", "centres kept"])
@pytest.mark.parametrize("ahead", [1, 8, 100])
def test_batches_prepared_ahead_are_the_same(ahead, memory_limit):
    made = crop_pipeline(CPU, memory_limit=memory_limit, ahead=ahead)
    found, expected = list(made.batches(3)), crop_pipeline(CPU).batches(3)
    for one, other in zip(found, expected, strict=True):
        assert list(one.views) == [view.name for view in VIEWS]
        assert torch.equal(one.labels, other.labels)
        assert all(torch.equal(one.views[name], other.views[name]) for name in one.views)
    assert running() == 0


def test_an_epoch_that_is_closed_early_ends_its_threads():
    batches = crop_pipeline(CPU, memory_limit=0, ahead=2).batches(0)
    next(batches)
    assert running() == 1
    del batches
    assert running() == 0


def test_an_image_that_cannot_be_cropped_raises_in_its_batch():
    made = crop_pipeline(CPU, memory_limit=0, ahead=100, views=VIEWS[:1])
    last = made.plan(0).indices["anchor"].host[-1]
    made._store._images.sizes[last] = (1 << 20, 1 << 20)  # as if a file were truncated
    batches = made.batches(0)
    list(islice(batches, 2))
    with pytest.raises(RuntimeError, match="invalid for input of size"):
        next(batches)
    assert running() == 0


@pytest.mark.parametrize("memory_limit", [0, AMPLE])
def test_preparing_batches_ahead_does_not_change_training_and_evaluation(memory_limit):
    plain, cutting = (trainer_of(small_config(dataset=snapshots(memory_limit))) for _ in range(2))
    data = cutting._data.train, cutting._data.validation

    def both(made, ahead):
        for part in data:  # both trainers share the data
            part.store.ahead = ahead
        losses = made.run_epoch()
        return losses | made.evaluate(data[1], "validation", final=True)[0]

    assert [both(cutting, 3) for _ in range(2)] == [both(plain, 0) for _ in range(2)]
    assert running() == 0


def running() -> int:
    return sum(thread.name.startswith(THREAD_NAME) for thread in threading.enumerate())
