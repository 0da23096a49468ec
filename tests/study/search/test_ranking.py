"""Ranking by value and by posterior mean."""

import numpy as np
from optuna.trial import TrialState

from study.search import ranking
from study.search.unit_cube import sobol

SPACE = {"temperature": {"low": 1, "high": 16, "log": True}, "lambda_cls": {"low": 0, "high": 4}}


def filled(new_study, count: int, noise: float, seed: int = 1, **overrides):
    """Returns a searched study whose true value has its minimum at T = 4 and lambda_cls = 2."""
    study = new_study(search__space=SPACE, search__trials=count, **overrides)
    rng, space = np.random.default_rng(seed), study.config.space()
    for number in range(count):
        point = sobol(space, 3, number)
        trial = study.store.begin("search", point, space, {})
        study.store.tell(trial, TrialState.COMPLETE, [true_value(point) + noise * rng.standard_normal()], 1, None)
    return study


def true_value(point) -> float:
    return 0.1 + 0.05 * np.log2(point["temperature"] / 4) ** 2 + 0.05 * (point["lambda_cls"] - 2) ** 2


def test_the_posterior_mean_selects_better_settings_than_the_best_value(new_study) -> None:
    lucky, believed, optimism = [], [], []
    for seed in range(5):
        study = filled(new_study, 32, 0.05, seed=seed, name=f"s{seed}")
        best, mean = ranking.confirmation_order(study)[0]
        believed.append(true_value(best.params))
        luckiest = ranking.ranked(study)[0]
        lucky.append(true_value(luckiest.params))
        optimism.append((true_value(luckiest.params) - luckiest.values[0], true_value(best.params) - mean))
    assert np.mean(believed) < np.mean(lucky)
    of_the_luckiest, of_the_mean = np.mean(optimism, axis=0)
    assert of_the_mean < 0.7 * of_the_luckiest


def test_with_few_trials_the_rank_decides(new_study) -> None:
    study = filled(new_study, 15, 0.05)
    assert [(trial.number, None) for trial in ranking.ranked(study)] == [
        (trial.number, mean) for trial, mean in ranking.confirmation_order(study)
    ]


def test_the_rank_decides_if_the_study_says_so(new_study) -> None:
    study = filled(new_study, 32, 0.05, confirm__choose_by="rank")
    assert [trial.number for trial, _ in ranking.confirmation_order(study)] == [t.number for t in ranking.ranked(study)]


def test_the_largest_mean_comes_first_if_the_metric_is_maximized(new_study) -> None:
    study = filled(new_study, 20, 0.01, search__objectives=["validation/recall_at_1"])
    means = [mean for _, mean in ranking.confirmation_order(study)]
    assert means == sorted(means, reverse=True)


def test_the_order_is_reproducible(new_study) -> None:
    study = filled(new_study, 24, 0.05)
    first = ranking.confirmation_order(study)
    ranking._means.cache_clear()
    assert [(t.number, mean) for t, mean in ranking.confirmation_order(study)] == [
        (t.number, mean) for t, mean in first
    ]
