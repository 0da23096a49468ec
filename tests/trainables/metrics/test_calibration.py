import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from trainables.metrics import calibration, classification, ece, probabilities

DTYPES = {np.float64: 1e-8, np.float32: 2e-5}


def drawn(seed, count=200, classes=7, scale=3.0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, scale, (count, classes)), rng.integers(0, classes, count)


@pytest.mark.parametrize("dtype", DTYPES)
def test_temperature_scaling_matches_golden(golden, dtype):
    for case in golden["temperature_scaling"]["cases"]:
        logits, labels, near = np.array(case["logits"], dtype), np.array(case["labels"]), DTYPES[dtype]
        fitted = calibration.fit_temperature(logits, labels)
        assert fitted.temperature == pytest.approx(case["T_star"], abs=1e-4)
        assert fitted.inside
        scaled = calibration.calibration(logits, labels, fitted.temperature)
        assert classification.negative_log_likelihood(logits, labels) == pytest.approx(case["nll_before"], abs=near)
        assert scaled["nll_scaled"] == pytest.approx(case["nll_after"], abs=near)
        before = ece.expected_calibration_error(logits, labels)
        assert before == pytest.approx(case["ece_before_percent"] / 100, abs=near)
        # The tolerance of the golden temperature, 1e-4, changes the error beyond the eighth digit.
        assert scaled["ece_scaled"] == pytest.approx(case["ece_after_percent"] / 100, abs=max(near, 1e-6))


@given(st.integers(0, 2**32), st.floats(0.2, 20))
def test_the_temperature_equals_that_of_scipy(seed, scale):
    logits, labels = drawn(seed, count=60, scale=scale)
    logits[np.arange(60), labels] += scale
    found = calibration.fit_temperature(logits, labels)
    reference = minimize_scalar(
        lambda u: classification.negative_log_likelihood(logits / np.exp(u), labels),
        bounds=(np.log(0.01), np.log(100)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    least = classification.negative_log_likelihood(logits / found.temperature, labels)
    assert least <= reference.fun + 1e-12


@pytest.mark.parametrize("factor", [0.1, 1.0, 15.0])
def test_the_temperature_scales_with_the_logits(factor):
    logits, labels = drawn(1)
    logits[np.arange(200), labels] += 2
    one, other = (calibration.fit_temperature(logits * k, labels).temperature for k in (1, factor))
    assert other == pytest.approx(one * factor, rel=1e-5)


def test_a_temperature_at_the_end_of_the_range_is_reported():
    logits, labels = np.eye(4) * 5, np.arange(4)
    assert calibration.fit_temperature(logits, labels) == pytest.approx((0.01, False), abs=1e-6)
    assert not calibration.fit_temperature(logits, (labels + 1) % 4).inside


def test_scaling_changes_no_prediction():
    logits, labels = drawn(2)
    scaled = logits / calibration.fit_temperature(logits, labels).temperature
    assert classification.top_k_error(scaled, labels, 1) == classification.top_k_error(logits, labels, 1)


def test_brier_equals_its_formula_and_lies_between_zero_and_one():
    logits, labels = drawn(3)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = np.mean([((p - np.eye(7)[y]) ** 2).sum() / 2 for p, y in zip(probabilities, labels, strict=True)])
    assert calibration.brier_score(logits, labels) == pytest.approx(expected, rel=1e-12)
    assert calibration.brier_score(np.array([[0.0, 900.0]]), np.array([0])) == 1.0
    assert calibration.brier_score(np.array([[0.0, 900.0]]), np.array([1])) == 0.0


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 20))
def test_equal_mass_bins_have_equal_counts_and_ascend(seed, count, bins):
    logits, labels = drawn(seed, count)
    found = calibration.equal_mass_bins(np.exp(probabilities.log_softmax(logits)), labels, bins)
    assert found.count.sum() == count
    assert found.count.max() - found.count.min() <= 1
    assert (np.diff(found.confidence[found.count > 0]) >= 0).all()
    hits = np.nansum(found.accuracy * found.count) / count
    assert hits == pytest.approx(1 - classification.top_k_error(logits, labels, 1))


def test_one_bin_of_either_kind_is_the_difference_of_the_means():
    logits, labels = drawn(4)
    equal = ece.calibration_error(calibration.equal_mass_bins(np.exp(probabilities.log_softmax(logits)), labels, 1))
    assert equal == pytest.approx(ece.expected_calibration_error(logits, labels, 1), abs=1e-12)


def test_a_calibrated_prediction_has_little_error_of_any_kind():
    logits, _ = drawn(5, count=40_000, scale=1.5)
    shares = np.exp(probabilities.log_softmax(logits))
    uniform = np.random.default_rng(0).random((len(logits), 1))
    labels = (shares.cumsum(axis=1) < uniform).sum(axis=1)
    found = calibration.calibration(logits, labels, 1.0)
    assert calibration.fit_temperature(logits, labels).temperature == pytest.approx(1, abs=0.03)
    assert max(found[name] for name in ("ece_15_bins", "ece_equal_mass", "ece_scaled")) < 0.01
    assert found.keys() == calibration.CALIBRATION.keys()


def test_a_cross_fitted_temperature_comes_from_the_other_half():
    logits, labels = drawn(6, count=401)
    logits[np.arange(401), labels] += 3
    found = calibration.cross_fitted_temperatures(logits, labels)
    halves = [found == temperature for temperature in np.unique(found)]
    assert sorted(half.sum() for half in halves) == [200, 201]
    for half in halves:
        expected = calibration.fit_temperature(logits[~half], labels[~half]).temperature
        np.testing.assert_array_equal(found[half], expected)


def test_a_temperature_for_each_sample_scales_each_sample():
    logits, labels = drawn(7, count=40)
    temperatures = np.linspace(0.5, 2, 40)
    found = calibration.calibration(logits, labels, temperatures)
    assert found["nll_scaled"] == pytest.approx(
        classification.negative_log_likelihood(logits / temperatures[:, None], labels), rel=1e-12
    )
