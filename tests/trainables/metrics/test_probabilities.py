import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.metrics.probabilities import log_softmax


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_log_probabilities_are_computed_in_float64(dtype):
    logits = np.random.default_rng(0).normal(0, 20, (50, 7)).astype(dtype)
    found = log_softmax(logits)
    assert found.dtype == np.float64
    assert found == pytest.approx(np.log(softmax(logits.astype(np.float64))), rel=1e-12)


@given(st.integers(0, 2**32), st.floats(-1000, 1000))
def test_a_constant_on_all_logits_changes_nothing(seed, constant):
    logits = np.random.default_rng(seed).normal(0, 5, (6, 4))
    assert log_softmax(logits + constant) == pytest.approx(log_softmax(logits), abs=1e-10)


def test_large_logits_do_not_overflow():
    assert log_softmax(np.array([[0.0, 2000.0]])).tolist() == [[-2000.0, 0.0]]


def test_logits_are_not_changed():
    logits = np.eye(3)
    log_softmax(logits)
    assert (logits == np.eye(3)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_that_is_not_finite_becomes_nan(value):
    found = log_softmax(np.array([[value, 0.0], [0.0, 0.0]]))
    assert np.isnan(found[0]).all()
    assert found[1] == pytest.approx(np.log([0.5, 0.5]))
