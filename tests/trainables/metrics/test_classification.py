import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.metrics import classification


def test_errors_and_nll_match_golden(golden):
    cases = [case for case in golden["ece"]["cases"] if "nll" in case]
    assert cases
    for case in cases:
        logits, labels = np.log(case["probabilities"]), np.array(case["labels"])
        found = classification.evaluate(logits, labels)
        assert found["top1_error"] == pytest.approx(case["top1_error_percent"] / 100, abs=1e-8)
        assert found["top5_error"] == pytest.approx(case["top5_error_percent"] / 100, abs=1e-8)
        assert found["nll"] == pytest.approx(case["nll"], abs=1e-8)
        assert found["ece"] == pytest.approx(case["ece"], abs=1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_recall_matches_golden(golden, dtype):
    for case in golden["recall_at_1"]["cases"]:
        features, labels = np.array(case["features"], dtype), np.array(case["labels"])
        assert classification.nearest_neighbours(features).tolist() == case["nearest_index"]
        assert classification.recall_at_1(features, labels) == pytest.approx(
            case["recall_at_1_percent"] / 100, abs=1e-8
        )


def test_the_registry_lists_the_computed_metrics():
    logits, labels = np.eye(3), np.arange(3)
    computed = {*classification.evaluate(logits, labels), "recall_at_1"}
    assert computed == set(classification.METRICS)
    assert [name for name, metric in classification.METRICS.items() if metric.goal == "maximize"] == ["recall_at_1"]
    assert [name for name, metric in classification.METRICS.items() if metric.unit == "nats"] == ["nll"]
    json.dumps(classification.evaluate(logits, labels))  # plain floats, because they are written to result files


def test_nll_of_half_precision_logits_is_computed_in_float64():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 20, (50, 7)).astype(np.float16), rng.integers(0, 7, 50)
    exact = logits.astype(np.float64)
    expected = (np.log(np.exp(exact).sum(axis=1)) - exact[np.arange(50), labels]).mean()
    assert classification.negative_log_likelihood(logits, labels) == pytest.approx(expected, rel=1e-12)


def test_nll_of_a_confidently_wrong_prediction_is_finite():
    assert classification.negative_log_likelihood(np.array([[0.0, 2000.0]]), np.array([0])) == 2000.0


def test_equal_logits_rank_by_class_index():
    logits, labels = np.zeros((4, 4)), np.arange(4)
    assert classification.top_k_error(logits, labels, 1) == 0.75
    assert classification.top_k_error(logits, labels, 3) == 0.25


def test_top5_error_is_zero_with_fewer_than_five_classes():
    assert classification.evaluate(np.eye(4)[::-1], np.arange(4))["top5_error"] == 0.0


@given(st.integers(0, 2**32), st.integers(1, 12))
def test_top_k_error_equals_a_stable_sort(seed, k):
    rng = np.random.default_rng(seed)
    logits, labels = rng.integers(0, 4, (20, 10)).astype(float), rng.integers(0, 10, 20)
    best = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    assert classification.top_k_error(logits, labels, k) == pytest.approx(
        1 - (best == labels[:, None]).any(axis=1).mean()
    )


def test_a_diverged_network_never_scores_well():
    logits, labels = np.full((4, 6), np.nan), np.arange(4)
    found = classification.evaluate(logits, labels)
    assert found["top1_error"] == found["top5_error"] == 1.0
    assert np.isnan(found["nll"])
    assert np.isnan(found["ece"])
    assert np.isnan(classification.evaluate(np.full((4, 6), np.inf), labels)["nll"])


def brute_force_neighbours(features):
    distances = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    return distances.argmin(axis=1)


@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(1, 5))
def test_neighbours_equal_brute_force_with_many_ties(seed, count, width):
    features = np.random.default_rng(seed).integers(-2, 3, (count, width)).astype(float)
    assert classification.nearest_neighbours(features).tolist() == brute_force_neighbours(features).tolist()


def test_neighbours_are_exact_despite_cancellation():
    rng = np.random.default_rng(0)
    features = np.concatenate([1e4 + 1e-6 * rng.normal(size=(60, 8)), 1e7 + rng.normal(size=(60, 8))])
    assert classification.nearest_neighbours(features).tolist() == brute_force_neighbours(features).tolist()


def test_neighbours_across_blocks(monkeypatch):
    features = np.random.default_rng(1).normal(size=(50, 3))
    monkeypatch.setattr(classification, "BLOCK", 7)
    assert classification.nearest_neighbours(features).tolist() == brute_force_neighbours(features).tolist()


def test_neighbours_of_equal_samples_are_the_lowest_other_index():
    assert classification.nearest_neighbours(np.array([[0.0], [-0.0], [0.0], [9.0]])).tolist() == [1, 0, 0, 0]


def test_equal_features_of_a_collapsed_network_are_searched_fast():
    assert classification.recall_at_1(np.ones((5000, 64), np.float32), np.arange(5000)) == 0.0
