"""Checks the tests against the baseline with SciPy and their definitions."""

import numpy as np
import pytest
from scipy import stats

from analysis.findings import significance
from analysis.findings.best_config import collect
from analysis.statistics.over_seeds import bootstrap_interval, holm, mcnemar_p, wilcoxon_p


def values(content, arm):
    return [run["test/top1_error"] for run in content["confirmations"] if run["arm"] == arm]


def test_every_arm_is_tested_over_the_seeds(load, content) -> None:
    found = significance.collect(load(content))
    assert (found.baseline, found.metric) == ("controls/0", "test/top1_error")
    assert [arm.arm for arm in found.arms] == ["search/7", "search/4", "search/6", "controls/1"]
    expected = [stats.ttest_rel(values(content, arm.arm), values(content, "controls/0")).pvalue for arm in found.arms]
    assert [arm.difference.p for arm in found.arms] == pytest.approx(expected)
    assert [arm.corrected for arm in found.arms] == pytest.approx(holm(expected))
    assert [arm.wilcoxon for arm in found.arms] == [0.25] * 4
    assert found.arms[0].images is None


def test_over_images_from_predictions(load, content, with_predictions) -> None:
    results = load(content)
    arm = significance.collect(results).arms[0]
    trials = {(run["arm"], run["seed"]): run["trial"] for run in content["confirmations"]}

    def wrong(name, seed):
        logits, labels = with_predictions[trials[name, seed]]
        return logits.argmax(1) != labels

    pairs = [(wrong("search/7", seed), wrong("controls/0", seed)) for seed in (11, 12, 13)]
    difference = np.mean([a.astype(float) - b for a, b in pairs], axis=0)
    assert arm.images.mean == pytest.approx(difference.mean())
    assert (arm.images.seeds, arm.images.images) == (3, 200)
    a, b = pairs[0]
    table = np.array([[0, (a & ~b).sum()], [(b & ~a).sum(), 0]])
    assert arm.images.mcnemar == pytest.approx(stats.binomtest(int(table[0, 1]), int(table.sum())).pvalue)
    assert arm.images.interval.low < arm.images.mean < arm.images.interval.high


def test_seeds_without_readable_predictions_are_not_counted(load, content, with_predictions) -> None:
    results = load(content)
    assert "(difference averaged over the 3 seeds with predictions)" in " ".join(
        significance.table(significance.collect(results)).notes
    )
    lost = next(run for run in content["confirmations"] if (run["arm"], run["seed"]) == ("search/7", 12))
    (results.folder / "confirm" / str(lost["trial"]) / "predictions.parquet").write_bytes(b"damaged")
    found = significance.collect(results)
    assert found.arms[0].images.seeds == 2
    assert "(difference averaged over the 2 to 3 seeds with predictions)" in " ".join(significance.table(found).notes)


def test_the_table_and_its_notes(load, content, with_predictions) -> None:
    table = significance.table(significance.collect(load(content)))
    assert len(table.rows) == 4
    assert table.rows[0][:2] == ("search/7", "cs_kd")
    assert "cannot give less than 0.25 with 3 pairs" in table.notes[0]
    assert "200 test images" in table.notes[1]


def test_without_a_baseline_or_trials_there_is_no_comparison(load, unconfirmed) -> None:
    assert significance.collect(load(unconfirmed)) is None
    assert significance.collect(load(unconfirmed | {"trials": []})) is None


def test_other_metrics_are_not_tested_over_images(load, content, with_predictions) -> None:
    content["study"]["objectives"] = ["validation/nll"]
    for number, run in enumerate(content["confirmations"]):
        run["test/nll"] = 0.9 + 0.01 * number
    results = load(content)
    assert collect(results).metric == "test/nll"
    assert all(arm.images is None for arm in significance.collect(results).arms)


def test_holm_against_its_definition() -> None:
    p = [0.03, 0.001, 0.2, 0.04, 0.9]
    ordered = sorted(p)
    expected = [max(min(1, (5 - j) * ordered[j]) for j in range(ordered.index(x) + 1)) for x in p]
    assert holm(p) == pytest.approx(expected)
    assert holm([]) == []


def test_wilcoxon_of_equal_pairs() -> None:
    assert wilcoxon_p([0.1, 0.2], [0.1, 0.2]) is None


def test_mcnemar_counts_disagreements_only() -> None:
    a = np.array([True] * 9 + [False] + [True] * 50)
    b = np.array([False] * 9 + [True] + [True] * 50)
    assert mcnemar_p(a, b) == pytest.approx(2 * stats.binom.cdf(1, 10, 0.5))
    assert mcnemar_p(a, a) is None


def test_the_bootstrap_interval_is_about_normal_for_many_samples() -> None:
    x = np.random.default_rng(5).choice([-1.0, 0.0, 1.0], 4000, p=[0.1, 0.75, 0.15])
    low, high = bootstrap_interval(x)
    half = 1.96 * x.std() / len(x) ** 0.5
    assert (low, high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.1 * half)
