"""Tests each arm against the baseline: paired over seeds, with Holm's correction, and over test images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.findings import best_config
from analysis.records import frames, predictions
from analysis.records.result_files import ResultsError
from analysis.statistics.over_seeds import Interval, PairedDifference, bootstrap_interval, holm, mcnemar_p, wilcoxon_p
from analysis.tables.table import Table
from analysis.words.wording import interval_words, number_of, probability, signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from analysis.findings.best_config import Arm
    from analysis.records.result_files import Results
    from analysis.tables.table import Cell


@dataclass(frozen=True)
class OverImages:
    """Difference of an arm to the baseline over the test images, with the trained networks fixed.

    Attributes:
        mean: Mean difference of the top-1 errors, arm minus baseline, over the seeds with predictions of both; a
            fraction.
        interval: 95 % bootstrap interval over images.
        mcnemar: P-value of McNemar's exact test for the first of these seeds; None if the two never disagree.
        seeds: Number of seeds.
        images: Number of images.
    """

    mean: float
    interval: Interval
    mcnemar: float | None
    seeds: int
    images: int


@dataclass(frozen=True)
class ArmDifference:
    """Difference of an arm to the baseline.

    Attributes:
        arm: Name of the arm.
        method: Label of its method.
        difference: Paired difference over the seeds that both have, as in the best-config table.
        corrected: Its p-value with Holm's correction over all arms; None for a single pair.
        wilcoxon: P-value of Wilcoxon's signed-rank test; None if all pairs are equal.
        images: Difference over the test images; None without predictions, or for another metric than the top-1 error.
    """

    arm: str
    method: str
    difference: PairedDifference
    corrected: float | None
    wilcoxon: float | None
    images: OverImages | None


@dataclass(frozen=True)
class BaselineComparison:
    """Differences of all arms to the baseline.

    Attributes:
        metric: Metric on the test set.
        baseline: Name of the baseline arm.
        arms: Arms in the order of the best-config table.
    """

    metric: str
    baseline: str
    arms: tuple[ArmDifference, ...]


def collect(results: Results) -> BaselineComparison | None:
    """Tests every confirmed arm that shares seeds with the baseline; None if there is none."""
    try:
        best = best_config.collect(results)
    except ResultsError:
        return None
    arms = [arm for arm in best.arms if arm.difference]
    if not arms or best.baseline is None:
        return None
    values = frames.values_by_seed(results, best.metric)
    tested = [arm for arm in arms if arm.difference and arm.difference.p is not None]
    corrected = dict(zip([arm.name for arm in tested], holm(list(_p_values(tested))), strict=True))
    wrong = _wrong(results, best.baseline) if best.metric.endswith("top1_error") else {}
    found = tuple(_arm_difference(results, arm, values, best.baseline, corrected.get(arm.name), wrong) for arm in arms)
    return BaselineComparison(best.metric, best.baseline, found)


def table(found: BaselineComparison) -> Table:
    """Returns one row per arm."""
    columns = (
        *("arm", "method", "Δ", "95 % interval", "pairs", "p (t)", "p (Holm)", "p (Wilcoxon)"),
        *("over images: 95 % interval", "p (McNemar)"),
    )
    rows = tuple(tuple(_row(arm, found.metric)) for arm in found.arms)
    kept = [i for i in range(len(columns)) if any(row[i] is not None for row in rows)]
    shown = tuple(tuple(row[i] for i in kept) for row in rows)
    title = f"Arms minus the baseline, {found.baseline} ({found.metric})"
    return Table(title, tuple(columns[i] for i in kept), shown, tuple(_notes(found)))


def _arm_difference(
    results: Results,
    arm: Arm,
    values: dict[str, dict[int, float]],
    baseline: str,
    corrected: float | None,
    wrong: dict[int, NDArray[np.bool_]],
) -> ArmDifference:
    assert arm.difference  # noqa: S101 - only such arms are compared
    common = [seed for seed in values[arm.name] if seed in values[baseline]]
    ours, theirs = ([values[name][seed] for seed in common] for name in (arm.name, baseline))
    images = _over_images(_wrong(results, arm.name), wrong) if wrong else None
    return ArmDifference(arm.name, arm.method, arm.difference, corrected, wilcoxon_p(ours, theirs), images)


def _p_values(arms: list[Arm]) -> Iterator[float]:
    return (arm.difference.p for arm in arms if arm.difference and arm.difference.p is not None)


def _wrong(results: Results, arm: str) -> dict[int, NDArray[np.bool_]]:
    """Returns which test images the run misclassifies, for each seed with predictions."""
    runs = results.confirmations
    done = runs[(runs["arm"] == arm) & (runs["state"] == "COMPLETE")]
    found = {}
    for seed, trial in zip(done["seed"], done["trial"], strict=True):
        try:
            run = predictions.of_run(results, int(trial))
        except ResultsError:
            continue
        found[int(seed)] = run.logits.argmax(axis=1) != run.labels
    return found


def _over_images(ours: dict[int, NDArray[np.bool_]], theirs: dict[int, NDArray[np.bool_]]) -> OverImages | None:
    common = [seed for seed in ours if seed in theirs and len(ours[seed]) == len(theirs[seed])]
    if not common:
        return None
    difference = np.mean([ours[seed].astype(float) - theirs[seed] for seed in common], axis=0)
    interval, first = bootstrap_interval(difference), common[0]
    mcnemar = mcnemar_p(ours[first], theirs[first])
    return OverImages(float(difference.mean()), interval, mcnemar, len(common), len(difference))


def _row(arm: ArmDifference, metric: str) -> Iterator[Cell]:
    difference, images = arm.difference, arm.images
    yield from (arm.arm, arm.method, signed(difference.mean, metric))
    yield interval_words(difference.interval, metric, signs=True)
    yield difference.n
    yield from (probability(p) for p in (difference.p, arm.corrected, arm.wilcoxon))
    yield interval_words(images.interval, metric, signs=True) if images else None
    yield probability(images.mcnemar) if images else None


def _notes(found: BaselineComparison) -> Iterator[str]:
    pairs = max(arm.difference.n for arm in found.arms)
    smallest = 2 / 2**pairs
    yield (
        f"Δ: mean difference, arm minus {found.baseline}, paired by seed, with the 95 % interval and p-value of the "
        "paired t-test; p (Holm): the same p-value corrected for all arms; p (Wilcoxon): signed-rank test, which "
        f"cannot give less than {smallest:.2g} with {number_of(pairs, 'pair')}."
    )
    images = [arm.images for arm in found.arms if arm.images]
    if images:
        yield (
            f"Over the {images[0].images} test images, with the trained networks fixed: 95 % bootstrap interval over "
            f"images (difference averaged over the {_seed_count(images)} seeds with predictions), and McNemar's exact "
            "test for the first of these seeds, not corrected. Both ignore the variation between training runs and do "
            "not replace tests over seeds."
        )


def _seed_count(images: list[OverImages]) -> str:
    counts = sorted({each.seeds for each in images})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
