"""Notes of the best-config table: what its numbers are, how they were measured and how far they can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.statistics.over_seeds import MeanStd, PairedDifference, difference_p
from analysis.words.wording import hours, number_of, signed, spread, with_unit
from search_spaces.symbols import symbol
from trainables.metrics.classification import METRICS
from trainables.metrics.metric_name import MetricName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.findings.best_config import Arm, BestConfig


def notes(best: BestConfig) -> tuple[str, ...]:
    """Returns the notes of the best-config table, one or more sentences each."""
    return tuple(_notes(best))


def edges(arm: Arm) -> str | None:
    """Returns the ends of searched ranges at which an arm lies, such as ``T (upper)``; None if it lies at none."""
    return ", ".join(f"{symbol(edge.parameter.name).text} ({edge.end})" for edge in arm.edges) or None


def edge_notes(arm: Arm) -> Iterator[str]:
    """Yields a note for each end of a searched range at which an arm lies, with a wider range to search."""
    for edge in arm.edges:
        shown = symbol(edge.parameter.name).text
        yield (
            f"{arm.name} lies at the {edge.end} end of the searched range of {shown}; better values may lie beyond it. "
            f"To check, run a study with {edge.wider}."
        )


def _notes(best: BestConfig) -> Iterator[str]:
    if any(arm.test for arm in best.arms):
        yield from _confirmed_notes(best)
    else:
        name = best.arms[0].name
        yield f"Not confirmed yet: the value of {name} is a search value, optimistic because the trial was selected."
        if best.extended:
            yield selection(best)
    if any((arm.hyperparameters.get("teacher") or {}).get("trained_on") == "full" for arm in best.arms):
        yield (
            "The teacher was trained on all training images, including this study's validation split: the search "
            "values of its students are optimistic. The confirmation uses test data and is not affected."
        )
    yield from edge_notes(best.arms[0])
    yield from _epoch_notes(best)
    for arm in best.arms:
        if arm.failed:
            yield f"{arm.name}: {number_of(arm.failed, 'failed confirmation run')}, not included in the mean."
    yield from dict.fromkeys(paper_note(arm, best.metric) for arm in best.arms if arm.published)
    if any(arm.published and not arm.not_comparable for arm in best.arms):
        yield (
            "The paper does not state whether its values are from the last or the best epoch; its code prints the best."
        )
    yield (
        "Device h: device hours of the arm's own runs, in the search or the controls and in the confirmation; all runs "
        f"of the study together: {hours(best.device_hours):g}."
    )


def _confirmed_notes(best: BestConfig) -> Iterator[str]:
    winner, tested = best.arms[0], [arm for arm in best.arms if arm.test]
    if not best.confirmed:
        yield (
            f"The confirmation of the winner, {winner.name}, is not complete: it has no test value, and its search "
            "value is optimistic because it was selected."
        )
    counts = sorted({arm.test.n for arm in tested if arm.test})
    data = "full training set" if tested[0].trained_on == "full" else "training set without the validation split"
    yield (
        f"Test: mean ± sample standard deviation over fresh seeds, n={' or '.join(map(str, counts))}; "
        f"trained on the {data}, measured after the last epoch."
    )
    yield (
        f"{selection(best)} Optimism: test mean minus search value; search trials trained without the validation split."
    )
    earlier = [arm.name for arm in best.arms if arm.role == "earlier finalist"]
    if earlier:
        yield f"Earlier finalists, confirmed before a longer search found better trials: {', '.join(earlier)}."
    yield from _better_on_test(best)
    if best.baseline and any(arm.difference for arm in best.arms):
        yield (
            f"Δ to CE: mean difference, arm minus {best.baseline}, paired by seed, with the 95 % interval and p-value "
            "of the paired t-test, not corrected for multiple comparisons; reduction: error reduction relative to "
            f"{best.baseline}."
        )
    if best.baseline and winner.difference:
        yield verdict(winner.name, best.baseline, winner.difference)


def selection(best: BestConfig) -> str:
    """Returns how the winner was selected, and whether test values were known at that time."""
    name = best.arms[0].name
    if best.extended:
        return (
            f"The search was extended after the test set had been read: the winner, {name}, was still selected by "
            "validation values only, but earlier test values were known."
        )
    by = ""
    if (mean := best.arms[0].race_mean) is not None:
        shown = with_unit(spread(mean, None, best.objective), best.objective)
        by = f", by its mean over the fresh seeds of the race ({shown}),"
    elif (mean := best.arms[0].posterior_mean) is not None:
        shown = with_unit(spread(mean, None, best.objective), best.objective)
        by = f", by its posterior mean under a Gaussian process over all trials ({shown}),"
    return f"The winner, {name}, was selected on validation data{by} before the test set was read."


def _better_on_test(best: BestConfig) -> Iterator[str]:
    sign = 1 if METRICS[MetricName.parse(best.metric).quantity].goal == "minimize" else -1
    means = {arm.name: sign * arm.test.mean for arm in best.arms if arm.test}
    winner = means.get(best.arms[0].name)
    better = [name for name, mean in means.items() if winner is not None and mean < winner]
    if better:
        yield (
            f"Better test mean than the winner's: {', '.join(better)}. The winner stays, because selection on test "
            "data would be optimistic."
        )


def _epoch_notes(best: BestConfig) -> Iterator[str]:
    """Yields from which epoch each of the test columns is, if there are several."""
    columns = {
        "at best validation: from the epoch selected on validation data": [arm.at_best_validation for arm in best.arms],
        "best on test: optimistic, because the epoch was selected on the test set": [
            arm.best_test for arm in best.arms
        ],
    }
    shown = [text for text, values in columns.items() if any(values)]
    if shown:
        yield f"Test values are from the last epoch; {'; '.join(shown)}."


def verdict(name: str, baseline: str, difference: PairedDifference) -> str:
    """Returns whether the 95 % interval of the paired difference of two arms excludes 0, as a sentence."""
    if difference.interval is None:
        return f"{name} against {baseline}: one pair of seeds allows no test; confirm with more seeds."
    inside = difference.interval.low <= 0 <= difference.interval.high
    return (
        f"{name} against {baseline}: difference {'not ' if inside else ''}distinguishable from zero (95 % interval, "
        f"n={difference.n} pairs of seeds)."
    )


def paper_note(arm: Arm, metric: str) -> str:
    """Returns the paper's value for an arm that has one, and whether the arm's own value agrees with it."""
    assert arm.published is not None  # noqa: S101
    mean, std, seeds, table, _ = arm.published
    count = "number of seeds not reported" if seeds is None else f"n={seeds}"
    value = f"Paper, {arm.method}: {spread(mean, std, metric)} ({count}, table {table})"
    if arm.not_comparable:
        return f"{value}; not comparable: {arm.not_comparable}."
    p = difference_p(arm.test, MeanStd(mean, std, seeds)) if arm.test and seeds else None
    if arm.test is None or p is None:
        return f"{value}."
    verb = "agrees with" if p > 0.05 else "differs from"
    return f"{value}; {arm.name} {verb} it ({signed(arm.test.mean - mean, metric)}, Welch's t-test, p = {p:.2g})."
