import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.batches.samplers import ClassPairSampler
from trainables.errors import DataError

SOURCES = ("anchor", "partner", "other_partner")
sizes_of_classes = st.lists(st.integers(2, 12), min_size=1, max_size=6)


def shuffled_labels(sizes):
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))


@given(sizes_of_classes, st.integers(0, 2**63 - 1), st.integers(0, 1000))
def test_pairs_are_of_one_class_and_anchors_a_permutation(sizes, seed, epoch):
    labels = shuffled_labels(sizes)
    drawn = ClassPairSampler(labels, seed).epoch(epoch, SOURCES)
    assert drawn.keys() == set(SOURCES)
    assert np.array_equal(np.sort(drawn["anchor"]), np.arange(len(labels)))
    for source in SOURCES:
        assert drawn[source].dtype == np.int64
        assert np.array_equal(labels[drawn[source]], labels[drawn["anchor"]])
    assert (drawn["other_partner"] != drawn["anchor"]).all()


def test_golden_invariants(golden):
    case = golden["pair_sampler"]["cases"][0]
    labels = np.array(case["labels"])
    sampler = ClassPairSampler(labels, case["seed"])
    epochs = [sampler.epoch(epoch, ["partner"]) for epoch in range(300)]
    for drawn in epochs:
        assert sorted(drawn["anchor"]) == list(range(len(labels)))
        assert np.array_equal(labels[drawn["partner"]], labels[drawn["anchor"]])
    assert any((drawn["partner"] == drawn["anchor"]).any() for drawn in epochs)
    orders = {tuple(drawn["anchor"]) for drawn in epochs}
    partners = {tuple(drawn["partner"][np.argsort(drawn["anchor"])]) for drawn in epochs}
    assert len(orders) > 290
    assert len(partners) > 290


@given(sizes_of_classes, st.integers(0, 2**40), st.integers(0, 1000))
def test_an_epoch_needs_no_other_epoch_and_no_other_source(sizes, seed, epoch):
    labels = shuffled_labels(sizes)
    used = ClassPairSampler(labels, seed)
    for earlier in range(3):
        used.epoch(earlier, SOURCES)
    everything = used.epoch(epoch, SOURCES)
    for source in SOURCES:
        fresh = ClassPairSampler(labels, seed).epoch(epoch, [source])
        assert np.array_equal(fresh[source], everything[source])
        assert np.array_equal(fresh["anchor"], everything["anchor"])


def test_seeds_and_epochs_differ():
    labels = np.zeros(200, np.int64)
    orders = {tuple(ClassPairSampler(labels, seed).epoch(epoch, ())["anchor"]) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


def test_draws_have_fixed_values():
    drawn = ClassPairSampler(np.arange(8) % 2, seed=7).epoch(3, SOURCES)
    assert {source: indices.tolist() for source, indices in drawn.items()} == {
        "anchor": [2, 5, 7, 3, 0, 6, 4, 1],
        "partner": [0, 5, 3, 7, 4, 2, 0, 7],
        "other_partner": [6, 1, 3, 5, 6, 0, 2, 7],
    }


@pytest.mark.parametrize(("source", "choices"), [("partner", 6), ("other_partner", 5)])
def test_partners_are_uniform_over_the_class(source, choices):
    labels = np.array([0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1])
    sampler, counts = ClassPairSampler(labels, seed=0), np.zeros((12, 12))
    for epoch in range(2000):
        drawn = sampler.epoch(epoch, [source])
        counts[drawn["anchor"], drawn[source]] += 1
    allowed = labels[:, None] == labels
    if source == "other_partner":
        np.fill_diagonal(allowed, val=False)
    assert not counts[~allowed].any()
    expected = 2000 / choices
    degrees = 12 * (choices - 1)
    statistic = ((counts[allowed] - expected) ** 2 / expected).sum()
    assert abs(statistic - degrees) < 3.3 * (2 * degrees) ** 0.5


def test_every_position_of_the_order_is_equally_likely():
    sampler = ClassPairSampler(np.zeros(10, np.int64), seed=0)
    counts = np.zeros((10, 10))
    for epoch in range(2000):
        counts[np.arange(10), sampler.epoch(epoch, ())["anchor"]] += 1
    assert abs(((counts - 200) ** 2 / 200).sum() - 81) < 3.3 * (2 * 81) ** 0.5


def test_a_class_of_one_image_is_refused():
    with pytest.raises(DataError, match="class 1 has a single training image"):
        ClassPairSampler(np.array([0, 0, 1, 2, 2]), seed=0)
