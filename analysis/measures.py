"""Every metric again from the predictions that a run left; no torch, no data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from analysis.records import Predictions, read_groups, read_predictions
from trainables import metrics
from trainables.calibration import FittedTemperature, calibration, fit_temperature
from trainables.hierarchy import Hierarchy, hierarchy

if TYPE_CHECKING:
    from pathlib import Path


class Measures(NamedTuple):
    """What predictions are worth.

    Attributes:
        values: By metric: those of ``metrics.METRICS`` and of ``calibration.CALIBRATION``; the two scaled ones are
            absent without validation predictions.
        temperature: What the validation predictions were scaled by; None without them.
        hierarchy: By group; None where the classes have none.
        note: Why something is absent; otherwise empty.
    """

    values: dict[str, float]
    temperature: FittedTemperature | None
    hierarchy: Hierarchy | None
    note: str


def measure(predictions: Predictions, validation: Predictions | None = None, groups: tuple[str, ...] = ()) -> Measures:
    """Computes everything that predictions can tell.

    Args:
        predictions: On the test set, say.
        validation: Of the same run on its validation split, where the temperature is fitted. A run that trained on the
            full training set has none, and the temperature is never fitted on test data.
        groups: Group of each class, where the classes have a hierarchy.
    """
    logits, features, labels = predictions
    fitted = None if validation is None else fit_temperature(validation.logits, validation.labels)
    values = metrics.evaluate(logits, labels) | {"recall_at_1": metrics.recall_at_1(features, labels)}
    values |= calibration(logits, labels, None if fitted is None else fitted.temperature)
    by_group = hierarchy(logits, labels, groups) if groups else None
    note = ""
    if fitted is None:
        note = "no temperature scaling: the run has no validation split to fit it on"
    elif not fitted.inside:
        note = f"the temperature {fitted.temperature:.3g} is at the end of its range"
    return Measures(values, fitted, by_group, note)


def measure_run(directory: Path) -> Measures:
    """Computes everything that the predictions of a confirmation run's directory can tell.

    Raises:
        ResultsError: They are missing or damaged.
    """
    path = directory / "predictions.parquet"
    of_validation = directory / "validation_predictions.parquet"
    validation = read_predictions(of_validation) if of_validation.exists() else None
    return measure(read_predictions(path), validation, read_groups(path))
