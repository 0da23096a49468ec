"""Recorded surfaces: results of thousands of real digits runs, with which searches are replayed without training.

A surface is a grid of settings, each trained with several seeds. A replayed trial uses the run of one seed at the
nearest cell of the grid; the true value of the trial is the mean over all seeds of that cell.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution

DATA = Path(__file__).parent / "search"
METRICS = ("top1_error", "nll", "ece")
SEED_OF_SPLIT = 0
VALIDATION_IMAGES = 740  # 74 per class
DIVERGED = 2**16 - 1  # stored for the epochs of a diverged run
CHANCE = {"top1_error": 0.9, "nll": float(np.log(10)), "ece": 0.9}  # values of a diverged run
BASE: dict[str, Any] = {
    "dataset": {"name": "digits", "validation": {"per_class": 74, "seed": SEED_OF_SPLIT}},
    "model": {"name": "preact_resnet10", "width": 8, "input_size": 8},
    "method": {"name": "cs_kd"},
    "training": {"epochs": 24, "batch_size": 32, "lr": 0.1, "milestones": [0.5, 0.75], "device": "cpu"},
}


@dataclass(frozen=True)
class Axis:
    """Parameter of a surface: ``size`` values from ``low`` to ``high``, equally spaced in the logarithm."""

    low: float
    high: float
    size: int

    @property
    def values(self) -> NDArray[np.float64]:
        """Ascending values ``[size]``."""
        return np.geomspace(self.low, self.high, self.size)

    def nearest(self, value: float) -> int:
        """Returns the index of the value that is nearest in the logarithm."""
        position = np.log(value / self.low) / np.log(self.high / self.low) * (self.size - 1)
        return int(np.clip(np.rint(position), 0, self.size - 1))


@dataclass(frozen=True)
class Design:
    """Design of a surface.

    Attributes:
        axes: Axis of each parameter.
        seeds: Number of training seeds of each cell, from 0, the same for all cells.
        epochs: Length of the schedule, whose milestones are fractions of it.
    """

    axes: dict[str, Axis]
    seeds: int
    epochs: int = BASE["training"]["epochs"]

    @property
    def base(self) -> dict[str, Any]:
        """Configuration that all runs share."""
        return BASE | {"training": BASE["training"] | {"epochs": self.epochs}}


PLANE = {"temperature": Axis(0.5, 16, 15), "lambda_cls": Axis(0.1, 8, 15)}
DESIGNS = {
    "plane": Design(PLANE, 12),
    "plane_12": Design(PLANE, 6, epochs=12),  # compressed schedules with half of the seeds
    "plane_6": Design(PLANE, 6, epochs=6),
    "cube": Design(
        {"temperature": Axis(0.5, 16, 7), "lambda_cls": Axis(0.1, 8, 8), "training.lr": Axis(0.02, 0.3, 7)}, 6
    ),
}


@dataclass(frozen=True)
class Surface:
    """Recorded runs of a design.

    Attributes:
        design: Axes and seeds.
        curves: Validation error in [0, 1] after each epoch ``[*cells, seeds, epochs]``; NaN once a run has diverged.
        finals: Value of each metric after the last epoch ``[*cells, seeds]``; NaN for a diverged run.
    """

    design: Design
    curves: NDArray[np.float64]
    finals: dict[str, NDArray[np.float64]]

    @property
    def space(self) -> dict[str, FloatDistribution]:
        """Search space of this surface."""
        return {name: FloatDistribution(axis.low, axis.high, log=True) for name, axis in self.design.axes.items()}

    @cached_property
    def means(self) -> dict[str, NDArray[np.float64]]:
        """True value of each setting by metric: the mean over the seeds ``[*cells]``."""
        return {name: np.nan_to_num(values, nan=CHANCE[name]).mean(axis=-1) for name, values in self.finals.items()}

    def cell(self, point: dict[str, float]) -> tuple[int, ...]:
        """Returns the cell that is nearest to a point."""
        return tuple(axis.nearest(point[name]) for name, axis in self.design.axes.items())


@lru_cache
def read(name: str) -> Surface:
    """Reads a recorded surface.

    Args:
        name: Key of ``DESIGNS``.

    Raises:
        ValueError: The file was recorded with another design.
    """
    table, design = pq.read_table(path_of(name)), DESIGNS[name]
    shape = (*(axis.size for axis in design.axes.values()), design.seeds)
    if json.loads(table.schema.metadata[b"base"]) != design.base or table.num_rows != np.prod(shape):
        raise ValueError(
            f"{path_of(name)} has another design; run `python -m tests.benchmarks.surface_recording {name}`"
        )
    wrong = np.stack(table["wrong"].to_numpy())
    curves = np.where(wrong == DIVERGED, np.nan, wrong / VALIDATION_IMAGES)
    finals = {metric: table[metric].to_numpy().astype(float).reshape(shape) for metric in ("nll", "ece")}
    return Surface(design, curves.reshape(*shape, -1), {"top1_error": curves[:, -1].reshape(shape), **finals})


def path_of(name: str) -> Path:
    """Returns the path of a surface's file."""
    return DATA / f"digits_{name}.parquet"
