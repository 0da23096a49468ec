import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.batches.augmentation import ImageStore
from trainables.batches.input_pipeline import InputPipeline
from trainables.interfaces import Augmentation, LabelledImages, View

CPU = torch.device("cpu")
ALL_VIEWS = (View("anchor"), View("partner", "partner"), View("other", "other_partner"), View("plain", augmented=False))


def pipeline(labels, views=ALL_VIEWS, *, batch_size=4, seed=0, padding=1, flip=0.5, size=4) -> InputPipeline:
    """Image i is grey with the value i + 1, so that the images of a batch can be identified."""
    values = np.arange(1, len(labels) + 1, dtype=np.uint8)
    images = np.broadcast_to(values[:, None, None, None], (len(labels), size, size, 3)).copy()
    data = LabelledImages(images, labels, tuple("abcdefgh"))
    store = ImageStore(images, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), padding, CPU)
    return InputPipeline(data, store, Augmentation(padding=padding, flip=flip), views, batch_size, seed, CPU)


def shown(view) -> np.ndarray:
    """Indices of the images of a view, from the brightest pixel, because padding is black."""
    return (view.amax(dim=(1, 2, 3)) * 255).round().long().numpy() - 1


def labels_of(sizes) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))


@given(st.lists(st.integers(2, 8), min_size=1, max_size=6), st.integers(2, 9), st.integers(0, 2**63 - 1))
def test_row_i_of_every_view_belongs_to_anchor_i_and_each_anchor_comes_once(sizes, batch_size, seed):
    labels = labels_of(sizes)
    made = pipeline(labels, batch_size=batch_size, seed=seed)
    anchors = []
    for batch in made.batches(3):
        images = {name: shown(view) for name, view in batch.views.items()}
        assert np.array_equal(labels[images["anchor"]], batch.labels.numpy())
        assert np.array_equal(labels[images["partner"]], batch.labels.numpy())
        assert np.array_equal(labels[images["other"]], batch.labels.numpy())
        assert (images["other"] != images["anchor"]).all()
        assert np.array_equal(images["plain"], images["anchor"])
        anchors.extend(images["anchor"])
    assert sorted(anchors) == list(range(len(labels)))
    assert made.anchors == len(labels)


@given(st.integers(2, 60), st.integers(2, 20))
def test_all_batches_except_the_last_are_full_and_none_has_a_single_anchor(count, batch_size):
    bounds = pipeline(np.zeros(count, np.int64), batch_size=batch_size).bounds()
    sizes = [stop - start for start, stop in bounds]
    assert [start for start, _ in bounds] == [sum(sizes[:number]) for number in range(len(sizes))]
    assert sum(sizes) == count
    assert all(size == batch_size for size in sizes[:-1])
    rest = count % batch_size
    joined = rest == 1 and count > batch_size
    assert sizes[-1] == (batch_size + 1 if joined else rest or batch_size)


def test_only_the_declared_views_are_made():
    labels = labels_of([5, 5])
    for views in (ALL_VIEWS[:1], ALL_VIEWS[:2], (ALL_VIEWS[3],), ALL_VIEWS):
        made = pipeline(labels, views)
        assert [list(batch.views) for batch in made.batches(0)] == [[view.name for view in views]] * 3
        assert made.plan(0).draws.keys() == {view.name for view in views if view.augmented}


def test_a_view_does_not_depend_on_the_views_after_it():
    labels = labels_of([5, 5])
    for alone, together in zip(pipeline(labels, ALL_VIEWS[:1]).batches(2), pipeline(labels).batches(2), strict=True):
        assert torch.equal(alone.views["anchor"], together.views["anchor"])


def test_an_image_that_is_its_own_partner_is_cropped_twice():
    made = pipeline(labels_of([2] * 100), padding=2)
    plans = [made.plan(epoch) for epoch in range(20)]
    same = [plan.indices["anchor"].host == plan.indices["partner"].host for plan in plans]
    pairs = torch.cat(
        [
            torch.stack([plan.draws[name].top[chosen] for name in ("anchor", "partner")])
            for plan, chosen in zip(plans, same, strict=True)
        ],
        dim=1,
    )
    assert pairs.shape[1] > 1500
    agreeing = float((pairs[0] == pairs[1]).double().mean())  # one offset in five agrees by chance
    assert abs(agreeing - 0.2) < 4 * (0.2 * 0.8 / pairs.shape[1]) ** 0.5


def test_any_epoch_can_be_drawn_without_the_earlier_ones():
    labels = labels_of([6, 7, 8])
    used = pipeline(labels, seed=5)
    earlier = [[batch.views["anchor"] for batch in used.batches(epoch)] for epoch in range(3)]
    for fresh, again in zip(pipeline(labels, seed=5).batches(3), used.batches(3), strict=True):
        assert torch.equal(fresh.labels, again.labels)
        assert fresh.views.keys() == again.views.keys()
        assert all(torch.equal(fresh.views[name], again.views[name]) for name in fresh.views)
    assert not torch.equal(earlier[0][0], earlier[1][0])


def test_epochs_seeds_and_views_have_different_draws():
    labels = np.zeros(100, np.int64)
    draws = [
        draw.top.numpy().tobytes()
        for seed in (0, 1)
        for epoch in (0, 1)
        for draw in pipeline(labels, seed=seed).plan(epoch).draws.values()
    ]
    assert len(set(draws)) == 2 * 2 * 3
