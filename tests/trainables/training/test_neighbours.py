import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.inputs.features import KINDS, features_of
from tests.kit.patience import patience
from trainables.metrics import classification
from trainables.training import neighbours
from trainables.training.neighbours import search_for, search_on

CPU = torch.device("cpu")


def on_device(points, queries):
    return search_on(CPU, points, queries)


@given(
    st.integers(0, 2**32),
    st.integers(2, 40),
    st.integers(1, 6),
    st.sampled_from(KINDS),
    st.sampled_from([3, 1024]),
)
def test_both_searches_find_the_same_neighbours(seed, count, width, kind, block):
    features = features_of(kind, np.random.default_rng(seed), count, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "BLOCK", block)
        found = classification.nearest_neighbours(features, on_device)
    assert found.tolist() == classification.nearest_neighbours(features).tolist()


def test_distances_within_rounding_error_are_compared_exactly():
    rng = np.random.default_rng(0)
    features = np.concatenate([1e4 + 1e-6 * rng.normal(size=(60, 8)), 1e7 + rng.normal(size=(60, 8))])
    _, close = on_device(features, np.arange(120))
    assert len(close) > 50
    exact = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    np.fill_diagonal(exact, np.inf)
    assert classification.nearest_neighbours(features, on_device).tolist() == exact.argmin(axis=1).tolist()


def test_a_device_with_too_little_memory_leaves_the_search_to_the_cpu(monkeypatch):
    monkeypatch.setattr(neighbours, "free_bytes", lambda _: 1000)
    monkeypatch.setattr(torch, "addmm", None)
    features = np.random.default_rng(0).normal(size=(20, 3))
    assert (
        classification.nearest_neighbours(features, on_device).tolist()
        == classification.nearest_neighbours(features).tolist()
    )


def test_equal_features_are_searched_fast_on_a_device():
    features = np.ones((5000, 64), np.float32)
    start = time.perf_counter()
    assert classification.recall_at_1(features, np.arange(5000), on_device) == 0.0
    assert time.perf_counter() - start < patience(2)


def test_a_gpu_searches_with_torch_and_a_cpu_with_numpy():
    assert search_for(CPU) is classification.search_blocks
    assert search_for(torch.device("cuda")) is not classification.search_blocks
