import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.metrics import ece


@pytest.mark.parametrize(("dtype", "near"), [(np.float64, 1e-8), (np.float32, 2e-5)])
def test_bins_and_error_match_golden(golden, dtype, near):
    for case in golden["ece"]["cases"]:
        probabilities, labels = np.array(case["probabilities"], dtype), np.array(case["labels"])
        bins = ece.calibration_bins(probabilities, labels, case["n_bins"])
        assert ece.calibration_error(bins) == pytest.approx(case["ece"], abs=near)
        for expected in case["nonempty_bins"]:
            assert bins.count[expected["bin"]] == expected["count"]
            assert bins.accuracy[expected["bin"]] == pytest.approx(expected["acc"], abs=near)
            assert bins.confidence[expected["bin"]] == pytest.approx(expected["conf"], abs=near)
        assert np.flatnonzero(bins.count).tolist() == [expected["bin"] for expected in case["nonempty_bins"]]
        assert np.isnan(bins.accuracy[bins.count == 0]).all()


def test_confidence_one_belongs_to_the_last_bin_and_an_edge_to_the_lower():
    probabilities = np.array([[1.0, 0.0], [0.95, 0.05], [0.55, 0.45]])
    assert np.flatnonzero(ece.calibration_bins(probabilities, np.zeros(3, int)).count).tolist() == [
        10,
        18,
        19,
    ]


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 25))
def test_bins_hold_all_predictions_and_their_confidences(seed, count, bins):
    rng = np.random.default_rng(seed)
    probabilities, labels = rng.dirichlet(np.ones(4), count), rng.integers(0, 4, count)
    found = ece.calibration_bins(probabilities, labels, bins)
    assert found.count.sum() == count
    filled = np.flatnonzero(found.count)
    assert (found.confidence[filled] > filled / bins - 1e-12).all()
    assert (found.confidence[filled] <= (filled + 1) / bins + 1e-12).all()
    assert 0 <= ece.calibration_error(found) <= 1


def test_the_error_of_logits_is_that_of_their_probabilities():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 3, (200, 5)), rng.integers(0, 5, 200)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for bins in (15, 20):
        expected = ece.calibration_error(ece.calibration_bins(probabilities, labels, bins))
        assert ece.expected_calibration_error(logits, labels, bins) == pytest.approx(expected, abs=1e-12)
