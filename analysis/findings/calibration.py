"""Measures the calibration of each arm from saved predictions: as trained, and with a fitted temperature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analysis.findings import best_config
from analysis.records import predictions
from analysis.records.result_files import ResultsError
from analysis.statistics.over_seeds import MeanStd, mean_std
from analysis.tables.table import Strong, Table
from analysis.words.wording import number_of, spread
from trainables.metrics import classification, ece
from trainables.metrics.calibration import COARSE_BINS, calibration, cross_fitted_temperatures, fit_temperature
from trainables.runs.run_key import RunKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from analysis.records.result_files import Results
    from analysis.tables.table import Cell
    from trainables.runs.predictions import Predictions

VALIDATION, HALVES = "validation", "halves of the test images"

_COLUMNS = {
    "top5_error": "top-5 error %",
    "nll": "NLL",
    "brier": "Brier %",
    "ece": f"ECE, {ece.BINS} bins %",
    "ece_15_bins": f"ECE, {COARSE_BINS} bins %",
    "ece_equal_mass": "ECE, equal mass %",
    "temperature": "T*",
    "nll_scaled": "NLL at T*",
    "ece_scaled": "ECE at T* %",
}


class Measures(NamedTuple):
    """Quality of the predictions of a run.

    Attributes:
        values: Values by metric: those of ``METRICS`` that need no features, those of ``CALIBRATION``, and
            ``temperature``: the fitted one, or the geometric mean of those of the two halves.
        fitted_on: Data on which the temperature was fitted: ``VALIDATION`` or ``HALVES``.
    """

    values: dict[str, float]
    fitted_on: str


@dataclass(frozen=True)
class ArmCalibration:
    """Calibration of an arm.

    Attributes:
        arm: Name of the arm.
        method: Label of its method.
        values: Mean and sample standard deviation over its runs, by the keys of ``Measures.values``.
    """

    arm: str
    method: str
    values: Mapping[str, MeanStd]


@dataclass(frozen=True)
class Calibration:
    """Calibration of all arms.

    Attributes:
        arms: Arms in the order of the best-config table.
        fitted_on: Data on which temperatures were fitted.
        missing: Confirmation runs whose predictions cannot be read, such as ``confirm/4``.
    """

    arms: tuple[ArmCalibration, ...]
    fitted_on: tuple[str, ...]
    missing: tuple[str, ...]


def measure(test: Predictions, validation: Predictions | None = None) -> Measures:
    """Measures the predictions of a run on the test set.

    Args:
        test: Predictions on the test set.
        validation: Predictions of the same run on its validation split, on which the temperature is fitted. None for a
            run that trained on all data: each half of the test images is scaled by the temperature fitted on the other.
    """
    logits, labels = test.logits, test.labels
    if validation is None:
        temperature = cross_fitted_temperatures(logits, labels)
    else:
        temperature = np.array([fit_temperature(validation.logits, validation.labels).temperature])
    values = classification.evaluate(logits, labels) | calibration(logits, labels, temperature)
    values["temperature"] = float(np.exp(np.log(np.unique(temperature)).mean()))
    return Measures(values, HALVES if validation is None else VALIDATION)


def collect(results: Results) -> Calibration | None:
    """Measures every confirmed arm that has predictions; None if none has."""
    try:
        best = best_config.collect(results)
    except ResultsError:
        return None
    missing: list[str] = []
    measured = [(arm, list(_runs(results, arm.name, missing))) for arm in best.arms]
    arms = tuple(ArmCalibration(arm.name, arm.method, _over_runs(runs)) for arm, runs in measured if runs)
    fitted_on = dict.fromkeys(run.fitted_on for _, runs in measured for run in runs)
    return Calibration(arms, tuple(fitted_on), tuple(missing)) if arms else None


def table(found: Calibration) -> Table:
    """Returns one row per arm, with the lowest mean of each column in bold."""
    rows = tuple(tuple(_row(arm, found)) for arm in found.arms)
    columns = ("arm", "method", "n", *_COLUMNS.values())
    return Table("Calibration on the test set", columns, rows, tuple(_notes(found)))


def _runs(results: Results, arm: str, missing: list[str]) -> Iterator[Measures]:
    """Measures one run at a time, so that at most one run's predictions are in memory beside the cached ones."""
    runs = results.confirmations
    for trial in runs.loc[(runs["arm"] == arm) & (runs["state"] == "COMPLETE"), "trial"].sort_values():
        try:
            test = predictions.of_run(results, int(trial))
            validation = predictions.of_validation(results, int(trial))
        except ResultsError:
            missing.append(str(RunKey("confirm", trial)))
            continue
        if len(test.labels) > 1:
            yield measure(test, validation)


def _over_runs(runs: list[Measures]) -> dict[str, MeanStd]:
    return {name: mean_std([run.values[name] for run in runs]) for name in runs[0].values}


def _row(arm: ArmCalibration, found: Calibration) -> Iterator[Cell]:
    yield from (arm.arm, arm.method, arm.values["nll"].n)
    for name in _COLUMNS:
        mean, std, _ = arm.values[name]
        if name == "temperature":
            yield f"{mean:.3f}" + ("" if std is None else f" ± {std:.3f}")
            continue
        shown = spread(mean, std, f"test/{name}")
        best = len(found.arms) > 1 and mean == min(each.values[name].mean for each in found.arms)
        yield Strong(shown) if best else shown


def _notes(found: Calibration) -> Iterator[str]:
    yield (
        "From the saved predictions of the confirmation: mean ± sample standard deviation over n seeds; the lowest "
        f"mean of each column is bold. ECE: expected calibration error with {ece.BINS} bins of equal width, as in the "
        f"paper, {COARSE_BINS} bins of equal width, and {COARSE_BINS} bins of equal mass. Brier: half the Brier score, "
        "from 0 to 100 %. NLL in nats."
    )
    yield (
        "T*: temperature that minimises the NLL of logits / T*; above 1 the network is overconfident. Temperature "
        f"scaling needs no training, so compare methods at T*. {' '.join(map(_fitted, found.fitted_on))}"
    )
    if found.missing:
        yield f"Predictions of {number_of(len(found.missing), 'run')} cannot be read: {', '.join(found.missing)}."


def _fitted(where: str) -> str:
    if where == VALIDATION:
        return "T* was fitted on each run's validation predictions."
    return (
        "Runs that trained on all data have no validation split: for them, each half of the test images was scaled by "
        "the temperature fitted on the other half (cross-fitting), and T* is the geometric mean of the two. No "
        "selection used it."
    )
