"""Compares studies: their settings, their winners, and whether the winners' test values differ."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.findings import best_config
from analysis.records import frames
from analysis.records.result_files import ResultsError
from analysis.statistics.over_seeds import Interval, MeanStd, difference_p, mean_std, paired_difference
from analysis.tables.table import Cell, Table
from analysis.words.wording import hours, probability, scale_of, signed, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from analysis.records.result_files import Results

LETTERS = string.ascii_uppercase
_DIGESTS = {"data": "the training data", "split": "the validation split"}


@dataclass(frozen=True)
class Side:
    """A study in a comparison.

    Attributes:
        label: Letter of the study, ``A`` for the first.
        study: Name of the study.
        winner: Name of the winner, or of the best trial before the confirmation; None if no trial has completed.
        method: Label of the winner's method.
        hyperparameters: Hyperparameters as in ``best_config.Arm``.
        search_value: Winner's value in the search; optimistic.
        test: Mean and sample standard deviation over the fresh seeds; None before the confirmation.
        values: Test value of each seed.
        run_hours: Mean device hours of the winner's confirmation runs, before the confirmation those of its search run;
            None if none was trained.
    """

    label: str
    study: str
    winner: str | None
    method: str | None
    hyperparameters: Mapping[str, Any]
    search_value: float | None
    test: MeanStd | None
    values: Mapping[int, float]
    run_hours: float | None


@dataclass(frozen=True)
class Difference:
    """A later study's winner minus the first's, in the metric's unit.

    Attributes:
        test: Name of the test, ``paired by seed`` or ``Welch``.
        mean: Mean difference.
        interval: 95 % interval of the mean; None if a standard deviation is missing.
        p: Two-sided p-value; None if a standard deviation is missing.
        n: Number of pairs, or numbers of seeds of both studies.
    """

    test: str
    mean: float
    interval: Interval | None
    p: float | None
    n: tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """Comparison of a later study with the first.

    Attributes:
        labels: Letters of both studies, the first study's first.
        obstacles: Reasons why the two must not be compared; empty if they may.
        difference: Difference of the winners; None with an obstacle or before both are confirmed.
        verdict: Result as a sentence.
    """

    labels: tuple[str, str]
    obstacles: tuple[str, ...]
    difference: Difference | None
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """Comparison of several studies.

    Attributes:
        metric: First study's objective on the test set.
        sides: Studies in the given order.
        settings: Keys of the study files that differ, with the value of each study.
        pairs: Comparison of each later study with the first.
    """

    metric: str
    sides: tuple[Side, ...]
    settings: Mapping[str, tuple[Any, ...]]
    pairs: tuple[Pair, ...]


def compare(studies: Sequence[Results]) -> Comparison:
    """Compares the winners of studies, each later one with the first.

    Raises:
        ValueError: There are fewer than two studies, or more than there are letters.
    """
    if not 2 <= len(studies) <= len(LETTERS):
        raise ValueError(f"a comparison takes 2 to {len(LETTERS)} studies, not {len(studies)}")
    metric = frames.objective(studies[0]).replace("validation/", "test/", 1)
    sides = tuple(_side(label, results, metric) for label, results in zip(LETTERS, studies, strict=False))
    pairs = tuple(
        _pair((sides[0], studies[0]), (side, results), metric)
        for side, results in zip(sides[1:], studies[1:], strict=True)
    )
    return Comparison(metric, sides, _settings(studies), pairs)


def welch(a: Sequence[float], b: Sequence[float]) -> Difference:
    r"""Returns the difference of the means of independent values, a - b, by Welch's t-test.

    .. math:: \bar a - \bar b \pm t_{\nu, 0.975} \sqrt{v_a + v_b}, \quad v = s^2 / n, \quad
        \nu = (v_a + v_b)^2 / \left( \tfrac{v_a^2}{n_a - 1} + \tfrac{v_b^2}{n_b - 1} \right)

    Example:
        >>> found = welch([0.25, 0.5, 0.75], [1.25, 1.5, 1.75])
        >>> found.mean, round(found.interval.low, 4), round(found.p, 4)
        (-1.0, -1.5667, 0.008)
    """
    from scipy import stats

    first, second = mean_std(a), mean_std(b)
    mean = first.mean - second.mean
    if first.std is None or second.std is None or first.std == second.std == 0:
        return Difference("Welch", mean, None, None, (first.n, second.n))
    parts = np.array([first.std**2 / first.n, second.std**2 / second.n])
    freedom = parts.sum() ** 2 / (parts**2 / np.array([first.n - 1, second.n - 1])).sum()
    half = float(stats.t.ppf(0.975, freedom) * np.sqrt(parts.sum()))
    return Difference(
        "Welch", mean, Interval(mean - half, mean + half), difference_p(first, second), (first.n, second.n)
    )


def settings_table(comparison: Comparison) -> Table:
    """Returns one row per key that differs between the study files."""
    rows = tuple((key, *(_shown(value) for value in values)) for key, values in comparison.settings.items())
    titles = ", ".join(f"{side.label}: {side.study}" for side in comparison.sides)
    notes = () if rows else ("The study files do not differ.",)
    return Table(titles, ("key", *(side.label for side in comparison.sides)), rows, notes)


def winners_table(comparison: Comparison) -> Table:
    """Returns one row per study with its winner; the notes are the verdicts."""
    unit = "%" if scale_of(comparison.metric)[0] == 100 else "nats"
    columns = ("study", "winner", "method", f"search {unit}", f"test {unit}", "n", "device h a run")
    rows = tuple(_row(side, comparison.metric) for side in comparison.sides)
    return Table(f"Winners ({comparison.metric})", columns, rows, tuple(pair.verdict for pair in comparison.pairs))


def _row(side: Side, metric: str) -> tuple[Cell, ...]:
    test = side.test
    shown = (spread(side.search_value, None, metric), spread(test.mean, test.std, metric) if test else None)
    return (
        f"{side.label}: {side.study}",
        side.winner,
        side.method,
        *shown,
        test.n if test else None,
        None if side.run_hours is None else hours(side.run_hours),
    )


def _side(label: str, results: Results, metric: str) -> Side:
    name = results.study["name"]
    try:
        arm = best_config.collect(results).arms[0]
    except ResultsError:  # no trial has completed
        return Side(label, name, None, None, {}, None, None, {}, None)
    values = frames.values_by_seed(results, metric).get(arm.name, {})
    test = mean_std(list(values.values())) if values else None
    return Side(
        label,
        name,
        arm.name,
        arm.method,
        arm.hyperparameters,
        arm.search_value,
        test,
        values,
        _run_hours(results, arm.name),
    )


def _run_hours(results: Results, arm: str) -> float | None:
    confirmed = results.confirmations
    runs = confirmed[(confirmed["arm"] == arm) & (confirmed["state"] == "COMPLETE")]
    seconds = (frames.trial(results, arm) if runs.empty else runs)["device_seconds"].astype(float)
    trained = seconds[seconds > 0]  # without runs reused from another study
    return None if trained.empty else float(trained.mean()) / 3600


def _pair(first: tuple[Side, Results], second: tuple[Side, Results], metric: str) -> Pair:
    (a, results_a), (b, results_b) = first, second
    obstacles = tuple(_obstacles(results_a, results_b))
    labels = (a.label, b.label)
    if obstacles:
        return Pair(labels, obstacles, None, f"{b.label} against {a.label}: not comparable: {'; '.join(obstacles)}.")
    if not a.values or not b.values:
        missing = [side.label for side in (a, b) if not side.values]
        verb = "are" if len(missing) > 1 else "is"
        text = f"{b.label} against {a.label}: {' and '.join(missing)} {verb} not confirmed; no verdict."
        return Pair(labels, (), None, text)
    difference = _difference(a, b, paired=_same_protocol(results_a, a) == _same_protocol(results_b, b))
    return Pair(labels, (), difference, _verdict(a, b, difference, metric))


def _obstacles(a: Results, b: Results) -> Iterator[str]:
    objectives = [frames.objective(results) for results in (a, b)]
    if objectives[0] != objectives[1]:
        yield f"the objectives are {objectives[0]} and {objectives[1]}"
    for key, what in _DIGESTS.items():
        found = [results.study["digests"].get(key) for results in (a, b)]
        if None in found:
            yield f"the digest of {what} was not recorded"
        elif found[0] != found[1]:
            yield f"{what} differ" if key == "data" else f"{what} differs"
    trained_on = [sorted(set(results.confirmations["trained_on"].dropna())) for results in (a, b)]
    if all(trained_on) and trained_on[0] != trained_on[1]:
        yield f"the confirmations were trained on {trained_on[0][0]} and on {trained_on[1][0]}"


def _same_protocol(results: Results, side: Side) -> tuple[Any, ...]:
    """Returns what must be equal for pairing by seed: seeds, network, number and order of the steps."""
    config = results.study["config"]
    training = {key: config["training"].get(key) for key in ("epochs", "batch_size", "precision")}
    return sorted(side.values), config["model"], training


def _difference(a: Side, b: Side, *, paired: bool) -> Difference:
    if not paired:
        return welch(list(b.values.values()), list(a.values.values()))
    seeds = sorted(a.values)
    found = paired_difference([b.values[seed] for seed in seeds], [a.values[seed] for seed in seeds])
    return Difference("paired by seed", found.mean, found.interval, found.p, (found.n,))


def _verdict(a: Side, b: Side, difference: Difference, metric: str) -> str:
    head = f"{b.label} minus {a.label}: {signed(difference.mean, metric)}"
    n = f"n={' and '.join(map(str, difference.n))}"
    if difference.interval is None:
        return f"{head} ({difference.test}, {n}): these seeds allow no test; confirm with more."
    low, high = (signed(end, metric) for end in difference.interval)
    p = f"p = {probability(difference.p)}".replace("= <", "< ")
    numbers = f"{head} (95 % interval {low} to {high}, {p}, {difference.test}, {n})"
    if difference.interval.low <= 0 <= difference.interval.high:
        return f"{numbers}: not distinguishable from zero."
    smaller_wins = frames.goal(metric) == "minimize"
    better = b if (difference.mean < 0) == smaller_wins else a
    return f"{numbers}: the winner of {better.label} is better."


def _settings(studies: Sequence[Results]) -> dict[str, tuple[Any, ...]]:
    flat = [_flat(results.study["config"]) for results in studies]
    keys = dict.fromkeys(key for one in flat for key in one)
    rows = {key: tuple(one.get(key) for one in flat) for key in keys}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values)}


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Returns values by dotted key; the definition of a searched parameter stays one value."""
    if not isinstance(value, dict) or not value or path.startswith("search.space."):
        return {path: value}
    found: dict[str, Any] = {}
    for key, below in value.items():
        found |= _flat(below, f"{path}.{key}" if path else str(key))
    return found


def _shown(value: Any) -> Cell:
    if isinstance(value, dict):
        return " ".join(f"{key} {_shown(item)}" for key, item in value.items()) or "{}"
    if isinstance(value, list):
        return ", ".join(str(_shown(item)) for item in value) or "[]"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
