"""Answers questions with the recorded digits runs: ``python -m tests.evidence.questions`` writes ``questions.md``.

The recording (``plane`` in ``tests/benchmarks/surface.py``) contains real runs at 15 temperatures x 15 class-wise
weights with the same 12 training seeds in each cell. All intervals are Student's t over one value per seed.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from analysis.tables import files
from analysis.tables.table import Table
from tests.benchmarks.surface import read

KNEE = 4.0  # in the limit of logits within T of each other the loss depends only on the weight


def interval(values: NDArray[np.float64]) -> str:
    """Returns the mean of one value per seed with its 95 % interval, as text."""
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():+.2f} ({values.mean() - half:+.2f} to {values.mean() + half:+.2f})".replace("-", "−")


def best_weight(errors: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Returns the log weight at the minimum of a parabola fitted to the log errors, clipped to the axis."""
    a, b, _ = np.polyfit(np.log(weights), np.log(errors), 2)
    return float(np.clip(-b / (2 * a), np.log(weights[0]), np.log(weights[-1]))) if a > 0 else float(np.log(weights[0]))


def slope(errors: NDArray[np.float64], temperatures: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Returns the slope of the best log weight over the log temperature; −1 on a ridge of constant product."""
    return float(np.polyfit(np.log(temperatures), [best_weight(row, weights) for row in errors], 1)[0])


def explained(errors: NDArray[np.float64], by: NDArray[np.float64]) -> float:
    """Returns the share of the variance of log errors over all cells that a cubic polynomial in ``by`` explains."""
    target = np.log(errors).ravel()
    rest = target - np.polyval(np.polyfit(by.ravel(), target, 3), by.ravel())
    return float(1 - rest.var() / target.var())


def answers() -> Table:
    """Returns the questions with their answers."""
    surface = read("plane")
    temperatures, weights = (axis.values for axis in surface.design.axes.values())
    finals = np.nan_to_num(surface.finals["top1_error"], nan=0.9)  # temperatures, weights, seeds
    per_seed = range(finals.shape[-1])
    low, high = temperatures < KNEE, temperatures >= KNEE
    moderate = weights <= 1.0

    def slopes(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.array([slope(finals[chosen][..., seed], temperatures[chosen], weights) for seed in per_seed])

    def points(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        return 100 * finals[chosen][:, moderate].mean((0, 1))

    grid_t, grid_w = np.meshgrid(temperatures, weights, indexing="ij")
    alone, product = np.log(grid_w), np.log(grid_w * np.minimum(grid_t, KNEE))
    fits = [np.array([explained(finals[..., s], by) for s in per_seed]) for by in (alone, product)]
    large, one = weights >= 1.0, np.argmin(abs(temperatures - 1.0))
    rows = (
        ("slope of the best log λ_cls over log T, T below 4 (a ridge λ·T would be −1)", interval(slopes(low))),
        ("the same, T of 4 and more (only λ matters: 0)", interval(slopes(high))),
        (
            "share of variance explained by λ·min(T, 4) minus that by λ alone, percent",
            interval(100 * (fits[1] - fits[0])),
        ),
        (
            "error at T ≥ 4 minus error at 2 ≤ T < 4, λ_cls ≤ 1, points",
            interval(points(high) - points(low & (temperatures >= 2))),
        ),
        ("error at T ≥ 4 minus error at T < 2, λ_cls ≤ 1, points", interval(points(high) - points(temperatures < 2))),
        (
            "error at T ≥ 8 minus error at 4 ≤ T < 8, λ_cls ≤ 1, points",
            interval(points(temperatures >= 8) - points(high & (temperatures < 8))),
        ),
        (
            "error at λ_cls from 1 to 4 (the paper's grid) minus error at 0.25 to 0.9, T near 4, points",
            interval(
                100
                * (
                    finals[8:10][:, large & (weights <= 4.3)].mean((0, 1))
                    - finals[8:10][:, (weights > 0.25) & (weights < 0.9)].mean((0, 1))
                )
            ),
        ),
        (
            "the same at T near 1, points",
            interval(
                100
                * (
                    finals[one][large & (weights <= 4.3)].mean(0)
                    - finals[one][(weights > 0.25) & (weights < 0.9)].mean(0)
                )
            ),
        ),
    )
    return Table("Digits: 2,700 runs of CS-KD", ("question", "answer, mean (95 %)"), rows)


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(files.content(answers(), "md"))
