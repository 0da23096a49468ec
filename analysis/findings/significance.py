"""Whether arms differ from the baseline: over seeds by two tests, corrected for several arms, and over test images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.findings import best_config
from analysis.records import frames, predictions
from analysis.records.result_files import ResultsError
from analysis.statistics.over_seeds import Interval, PairedDifference, bootstrap_interval, holm, mcnemar_p, wilcoxon_p
from analysis.tables.table import Table
from analysis.words.wording import interval_words, probability, signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from analysis.findings.best_config import Arm
    from analysis.records.result_files import Results
    from analysis.tables.table import Cell


@dataclass(frozen=True)
class OverImages:
    """An arm minus the baseline on the test images, the runs given.

    Attributes:
        mean: Of the difference of top-1 errors, over the seeds that both have predictions of; a fraction.
        interval: 95 %, by drawing the images anew.
        mcnemar: P-value of McNemar's exact test for the first of these seeds; None where the two never disagree.
        seeds: How many seeds.
        images: How many images.
    """

    mean: float
    interval: Interval
    mcnemar: float | None
    seeds: int
    images: int


@dataclass(frozen=True)
class Against:
    """An arm against the baseline.

    Attributes:
        arm: Its name.
        method: Label of its method.
        difference: Over the seeds that both have, as in the best-config table.
        corrected: Holm's correction of its p-value over all arms; None for a single pair.
        wilcoxon: P-value of the signed-rank test; None where all pairs are equal.
        images: Over the test images; None without predictions, or for another metric than the top-1 error.
    """

    arm: str
    method: str
    difference: PairedDifference
    corrected: float | None
    wilcoxon: float | None
    images: OverImages | None


@dataclass(frozen=True)
class Comparison:
    """All arms against the baseline.

    Attributes:
        metric: On the test set.
        baseline: Name of the arm.
        arms: In the order of the best-config table.
    """

    metric: str
    baseline: str
    arms: tuple[Against, ...]


def collect(results: Results) -> Comparison | None:
    """Every confirmed arm that shares seeds with the baseline; None where there is none."""
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
    found = tuple(_against(results, arm, values, best.baseline, corrected.get(arm.name), wrong) for arm in arms)
    return Comparison(best.metric, best.baseline, found)


def table(found: Comparison) -> Table:
    """One row an arm."""
    columns = (
        *("arm", "method", "Δ", "95 % interval", "pairs", "p (t)", "p (Holm)", "p (Wilcoxon)"),
        *("over images: 95 % interval", "p (McNemar)"),
    )
    rows = tuple(tuple(_row(arm, found.metric)) for arm in found.arms)
    kept = [i for i in range(len(columns)) if any(row[i] is not None for row in rows)]
    shown = tuple(tuple(row[i] for i in kept) for row in rows)
    title = f"Arms minus the baseline, {found.baseline} ({found.metric})"
    return Table(title, tuple(columns[i] for i in kept), shown, tuple(_notes(found)))


def _against(
    results: Results,
    arm: Arm,
    values: dict[str, dict[int, float]],
    baseline: str,
    corrected: float | None,
    wrong: dict[int, NDArray[np.bool_]],
) -> Against:
    assert arm.difference  # noqa: S101 - only such arms are compared
    common = [seed for seed in values[arm.name] if seed in values[baseline]]
    ours, theirs = ([values[name][seed] for seed in common] for name in (arm.name, baseline))
    images = _over_images(_wrong(results, arm.name), wrong) if wrong else None
    return Against(arm.name, arm.method, arm.difference, corrected, wilcoxon_p(ours, theirs), images)


def _p_values(arms: list[Arm]) -> Iterator[float]:
    return (arm.difference.p for arm in arms if arm.difference and arm.difference.p is not None)


def _wrong(results: Results, arm: str) -> dict[int, NDArray[np.bool_]]:
    """For each seed with predictions: which test images the run gets wrong."""
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


def _row(arm: Against, metric: str) -> Iterator[Cell]:
    difference, images = arm.difference, arm.images
    yield from (arm.arm, arm.method, signed(difference.mean, metric))
    yield interval_words(difference.interval, metric, signs=True)
    yield difference.n
    yield from (probability(p) for p in (difference.p, arm.corrected, arm.wilcoxon))
    yield interval_words(images.interval, metric, signs=True) if images else None
    yield probability(images.mcnemar) if images else None


def _notes(found: Comparison) -> Iterator[str]:
    smallest = 2 / 2 ** max(arm.difference.n for arm in found.arms)
    yield (
        "Over seeds, paired: Student's t test, its p corrected for several arms (Holm), and Wilcoxon's signed-rank "
        f"test, whose p cannot fall below {smallest:.2g} with so many pairs."
    )
    images = [arm.images for arm in found.arms if arm.images]
    if images:
        yield (
            f"Over the {images[0].images} test images, given the trained networks: interval by drawing the images anew "
            f"(mean over the {_seeds(images)} seeds whose predictions are there), and McNemar's exact test for the "
            "first of them. It leaves out that another training run gives another network, so it is no substitute for "
            "seeds."
        )


def _seeds(images: list[OverImages]) -> str:
    counts = sorted({each.seeds for each in images})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
