"""What a best-config table says, in sentences: where its numbers come from, how far they can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.statistics.over_seeds import MeanStd, PairedDifference, difference_p
from analysis.words.wording import hours, signed, spread, with_unit
from search_spaces.symbols import symbol
from trainables.metrics.classification import METRICS
from trainables.metrics.metric_name import MetricName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.findings.best_config import Arm, BestConfig


def findings(best: BestConfig) -> tuple[str, ...]:
    """Sentences on what the numbers of the best-config table are and how far they can be trusted."""
    return tuple(_notes(best))


def edges(arm: Arm) -> str | None:
    """The ends of searched ranges at which an arm lies, such as ``T (upper)``; None where it lies inside."""
    return ", ".join(f"{symbol(edge.parameter.name).text} ({edge.end})" for edge in arm.edges) or None


def edge_notes(arm: Arm) -> Iterator[str]:
    """A sentence for each end at which an arm lies, with the range that goes on there."""
    for edge in arm.edges:
        shown = symbol(edge.parameter.name).text
        yield (
            f"{arm.name} lies at the {edge.end} end of what was searched of {shown}: better values may lie beyond; a "
            f"study of {edge.wider} would tell."
        )


def _notes(best: BestConfig) -> Iterator[str]:
    if any(arm.test for arm in best.arms):
        yield from _confirmed_notes(best)
    else:
        name = best.arms[0].name
        yield f"Not confirmed yet: the value of {name} is a search value, optimistic because it was selected."
        if best.extended:
            yield selection(best)
    if any((arm.hyperparameters.get("teacher") or {}).get("trained_on") == "full" for arm in best.arms):
        yield (
            "The teacher learned from all training images, those of this study's validation split among them: search "
            "values of its students are optimistic; the confirmation, on test data, is not touched by it."
        )
    yield from edge_notes(best.arms[0])
    yield from _epoch_notes(best)
    for arm in best.arms:
        if arm.failed:
            yield f"{arm.name}: {arm.failed} confirmation run(s) failed and are not in the mean."
    yield from dict.fromkeys(paper_note(arm, best.metric) for arm in best.arms if arm.published)
    if any(arm.published and not arm.not_comparable for arm in best.arms):
        yield "The paper does not say whether its values are of the last or the best epoch; its code prints the best."
    yield (
        "Device h: hours that the arm's own runs trained, in the search or the controls and in the confirmation; all "
        f"runs of the study together: {hours(best.device_hours):g}."
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
        f"{selection(best)} Optimism: test mean minus value in the search, which trained without the validation split."
    )
    earlier = [arm.name for arm in best.arms if arm.role == "earlier finalist"]
    if earlier:
        yield f"Earlier finalists, in confirmation before the search found better trials: {', '.join(earlier)}."
    yield from _better_on_test(best)
    if best.baseline and any(arm.difference for arm in best.arms):
        yield (
            f"Δ to CE: each arm minus {best.baseline}, paired by seed, with Student's t interval, not corrected for "
            "several comparisons; reduction: share of its errors that are gone."
        )
    if best.baseline and winner.difference:
        yield verdict(winner.name, best.baseline, winner.difference)


def selection(best: BestConfig) -> str:
    """How the winner was chosen, and whether test values were known by then."""
    name = best.arms[0].name
    if best.extended:
        return (
            f"The search was extended after the test set had been opened: the winner, {name}, was still chosen by "
            "validation values only, but by people who knew earlier test values."
        )
    by = ""
    if (mean := best.arms[0].race_mean) is not None:
        shown = with_unit(spread(mean, None, best.objective), best.objective)
        by = f", by its mean over the fresh seeds of the race ({shown}),"
    elif (mean := best.arms[0].posterior_mean) is not None:
        shown = with_unit(spread(mean, None, best.objective), best.objective)
        by = f", by what a Gaussian process over all trials believes of it ({shown}),"
    return f"The winner, {name}, was chosen on validation{by} before the test set was opened."


def _better_on_test(best: BestConfig) -> Iterator[str]:
    sign = 1 if METRICS[MetricName.parse(best.metric).quantity].goal == "minimize" else -1
    means = {arm.name: sign * arm.test.mean for arm in best.arms if arm.test}
    winner = means.get(best.arms[0].name)
    better = [name for name, mean in means.items() if winner is not None and mean < winner]
    if better:
        yield f"Better test mean: {', '.join(better)}. The winner stays: choosing on test data would be optimistic."


def _epoch_notes(best: BestConfig) -> Iterator[str]:
    """Which epoch each of the test columns is of, where there are several."""
    columns = {
        "at best validation: of the epoch that validation chose": [arm.at_best_validation for arm in best.arms],
        "best on test: optimistic, the epoch was chosen on the test set": [arm.best_test for arm in best.arms],
    }
    there = [words for words, values in columns.items() if any(values)]
    if there:
        yield f"Test values are of the last epoch; {'; '.join(there)}."


def verdict(name: str, baseline: str, difference: PairedDifference) -> str:
    """Whether the paired difference of two arms can be told from chance."""
    if difference.interval is None:
        return f"{name} against {baseline}: one pair of seeds says nothing about chance; confirm with more seeds."
    inside = difference.interval.low <= 0 <= difference.interval.high
    return f"{name} against {baseline}: {'not ' if inside else ''}distinguishable from zero (95 %, n={difference.n})."


def paper_note(arm: Arm, metric: str) -> str:
    """The paper's value for an arm that has one, and whether the arm's own agrees with it."""
    assert arm.published is not None  # noqa: S101
    mean, std, seeds, table, _ = arm.published
    count = "number of seeds not printed" if seeds is None else f"n={seeds}"
    value = f"Paper, {arm.method}: {spread(mean, std, metric)} ({count}, table {table})"
    if arm.not_comparable:
        return f"{value}; not comparable: {arm.not_comparable}."
    p = difference_p(arm.test, MeanStd(mean, std, seeds)) if arm.test and seeds else None
    if arm.test is None or p is None:
        return f"{value}."
    word = "agrees with" if p > 0.05 else "differs from"
    return f"{value}; {arm.name} {word} it ({signed(arm.test.mean - mean, metric)}, Welch's t-test, p = {p:.2g})."
