"""Expected improvement on known functions."""

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from study.search.improvement import TRIALS_PER_DIMENSION, expected
from study.search.unit_cube import sobol

SPACE = {"temperature": FloatDistribution(1, 16, log=True), "lambda_cls": FloatDistribution(0, 4)}


def trials(count: int, noise: float, seed: int = 0, slope: float = 1.0) -> list:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        point = sobol(SPACE, seed, number)
        distance = np.log2(point["temperature"] / 4) ** 2 / 4 + (point["lambda_cls"] - 2) ** 2 / 4
        value = 0.2 + slope * 0.1 * distance + noise * rng.standard_normal()
        found.append(create_trial(value=value, params=point, distributions=SPACE))
    return found


def test_few_trials_give_no_estimate() -> None:
    enough = 2 * TRIALS_PER_DIMENSION
    assert expected(SPACE, trials(enough - 1, 0.01), minimizes=True) is None
    assert expected(SPACE, trials(enough, 0.01), minimizes=True) is not None


def test_only_completed_trials_count() -> None:
    failed = create_trial(state=TrialState.FAIL, params=sobol(SPACE, 9, 0), distributions=SPACE)
    known = trials(20, 0.01)
    assert expected(SPACE, [*known, failed], minimizes=True) == expected(SPACE, known, minimizes=True)


@pytest.mark.parametrize("noise", [0.005, 0.02])
def test_the_noise_of_trials_is_estimated(noise: float) -> None:
    found = [expected(SPACE, trials(48, noise, seed), minimizes=True).noise for seed in range(4)]
    assert np.mean(found) == pytest.approx(noise, rel=0.35)


def test_the_gain_shrinks_with_more_trials() -> None:
    gains = [expected(SPACE, trials(count, 0.01), minimizes=True).gain for count in (16, 64)]
    assert 0 < gains[1] < gains[0]


def test_the_gain_is_small_with_much_noise_and_not_with_little() -> None:
    assert expected(SPACE, trials(64, 0.05, slope=0.1), minimizes=True).is_small
    assert not expected(SPACE, trials(16, 1e-4, slope=3), minimizes=True).is_small


def test_equal_values_have_no_gain() -> None:
    same = [create_trial(value=0.3, params=t.params, distributions=SPACE) for t in trials(16, 0.0)]
    assert expected(SPACE, same, minimizes=True).gain == pytest.approx(0.0, abs=1e-9)


def test_maximizing_negated_values_gives_the_same_estimate() -> None:
    known = trials(24, 0.01)
    mirrored = [create_trial(value=-t.value, params=t.params, distributions=SPACE) for t in known]
    assert expected(SPACE, mirrored, minimizes=False) == pytest.approx(expected(SPACE, known, minimizes=True))
