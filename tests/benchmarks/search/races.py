"""Races on the recorded surface: runs saved by eliminating candidates, and its effect on the finalists."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from study.definition.sections import Race
from study.phases.race_rule import standing
from tests.benchmarks.measuring import Finding
from tests.benchmarks.surface import CHANCE, Surface, read

METRIC = "top1_error"
TRIALS = 32
FINALISTS = (1, 2)
REPETITIONS = 1000
RULE = Race()


class Outcome(NamedTuple):
    """Outcome of a race; a worth is the mean error over seeds used neither in the search nor in the race.

    Attributes:
        runs: Number of runs of the race.
        keeps: Whether the finalists include the candidate that is best over all of the race's seeds.
        raced: Worth of the race's leader.
        everything: Worth of the candidate with the best mean if all candidates run with all seeds.
        searched: Worth of the best trial of the search.
    """

    runs: int
    keeps: bool
    raced: float
    everything: float
    searched: float


def race(surface: Surface, finalists: int, repetition: int) -> Outcome:
    """Races the best trials of a random search; each seed of the surface is used for one purpose only."""
    random = np.random.default_rng(repetition)
    cells = np.nan_to_num(surface.finals[METRIC], nan=CHANCE[METRIC]).reshape(-1, surface.design.seeds)
    points = cells[random.choice(len(cells), TRIALS, replace=False)][:, random.permutation(surface.design.seeds)]
    seen, raced, worth = points[:, 0], points[:, 1 : 1 + RULE.seeds], points[:, 1 + RULE.seeds :].mean(axis=1)
    names = [str(number) for number in np.argsort(seen, kind="stable")[: RULE.candidates]]
    order, runs = _race(names, raced, finalists)
    best = min(names, key=lambda name: float(raced[int(name)].mean()))
    return Outcome(
        runs,
        best in order[:finalists],
        *(float(worth[int(name)]) for name in (order[0], best, names[0])),
    )


def measure(repetitions: int = REPETITIONS) -> Finding:
    """Measures runs and worth of the choice, with and without elimination, for each number of finalists."""
    surface, figures = read("plane"), {"runs of all candidates with all seeds": float(RULE.candidates * RULE.seeds)}
    for finalists in FINALISTS:
        found = [race(surface, finalists, number) for number in range(repetitions)]
        for name in Outcome._fields:
            figures[f"{finalists} finalists, {name}"] = float(np.mean([getattr(each, name) for each in found]))
    kept = all(figures[f"{finalists} finalists, keeps"] >= 0.95 for finalists in FINALISTS)
    return Finding("the finalists hold the best of all candidates with all seeds in 95 of 100 races", kept, figures)


def _race(names: list[str], values: NDArray[np.float64], finalists: int) -> tuple[tuple[str, ...], int]:
    """Returns the final order of the names and the number of runs."""
    table: dict[tuple[str, int], float | None] = {}
    while True:
        found = standing(names, table, seeds=range(RULE.seeds), survivors=finalists, rule=RULE, minimizes=True)
        if not found.wanted:
            return found.order, len(table)
        table |= {(name, seed): float(values[int(name), seed]) for name, seed in found.wanted}
