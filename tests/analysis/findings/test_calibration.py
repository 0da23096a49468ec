"""Tests the calibration of arms against the metrics of training and SciPy."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from analysis.findings import calibration
from analysis.tables.table import Strong
from trainables.metrics import classification
from trainables.metrics.calibration import brier_score, fit_temperature
from trainables.runs.predictions import Predictions, write


def predictions(seed, count=90, classes=6):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    logits = rng.normal(0, 4, (count, classes)).astype(np.float32)
    logits[np.arange(count), labels] += 5
    return Predictions(logits, rng.normal(size=(count, 4)).astype(np.float32), labels)


def test_the_temperature_comes_from_validation_and_not_from_the_test() -> None:
    test, validation = predictions(0), predictions(1)
    found = calibration.measure(test, validation)
    assert found.fitted_on == calibration.VALIDATION
    fitted = minimize_scalar(
        lambda t: classification.negative_log_likelihood(validation.logits / t, validation.labels), bounds=(0.1, 10)
    )
    assert found.values["temperature"] == pytest.approx(fitted.x, rel=1e-4)
    sharper = test._replace(logits=test.logits * 9)
    assert calibration.measure(sharper, validation).values["temperature"] == found.values["temperature"]
    scaled = classification.negative_log_likelihood(test.logits / found.values["temperature"], test.labels)
    assert found.values["nll_scaled"] == pytest.approx(scaled, rel=1e-6)
    for name, value in classification.evaluate(test.logits, test.labels).items():
        assert found.values[name] == value


def test_without_a_validation_split_halves_of_the_test_images_scale_each_other() -> None:
    test = predictions(0, count=2000)
    found = calibration.measure(test)
    assert found.fitted_on == calibration.HALVES
    assert found.values["temperature"] == pytest.approx(fit_temperature(test.logits, test.labels).temperature, rel=0.02)
    least = classification.negative_log_likelihood(test.logits / found.values["temperature"], test.labels)
    assert least < found.values["nll_scaled"] < found.values["nll"]


def test_every_arm_has_mean_and_spread_over_its_seeds(load, content, with_predictions) -> None:
    found = calibration.collect(load(content))
    assert [arm.arm for arm in found.arms] == ["search/7", "search/4", "search/6", "controls/0", "controls/1"]
    runs = [run["trial"] for run in content["confirmations"] if run["arm"] == "search/4"]
    values = [brier_score(*with_predictions[trial]) for trial in runs]
    brier = found.arms[1].values["brier"]
    assert (brier.mean, brier.std, brier.n) == pytest.approx((np.mean(values), np.std(values, ddof=1), 3))


def test_the_table_marks_the_lowest_and_notes_where_temperatures_were_fitted(load, content, with_predictions) -> None:
    table = calibration.table(found := calibration.collect(load(content)))
    assert table.columns[:4] == ("arm", "method", "n", "top-5 error %")
    column = table.columns.index("Brier %")
    lowest = min(found.arms, key=lambda arm: arm.values["brier"].mean).arm
    assert [row[0] for row in table.rows if isinstance(row[column], Strong)] == [lowest]
    assert not any(isinstance(row[table.columns.index("T*")], Strong) for row in table.rows)
    assert "cross-fitting" in table.notes[1]
    assert "validation predictions" not in table.notes[1]


def test_validation_predictions_are_used_and_unreadable_ones_are_named(
    load, content, with_predictions, tmp_path
) -> None:
    kept = [run["trial"] for run in content["confirmations"] if run["arm"] == "search/7"]
    for trial in kept:
        write(
            tmp_path / "confirm" / str(trial) / "validation_predictions.parquet",
            Predictions(*predictions(trial, classes=10)),
            tuple("0123456789"),
        )
    for trial in set(with_predictions) - set(kept[1:]):
        (tmp_path / "confirm" / str(trial) / "predictions.parquet").write_bytes(b"damaged")
    found = calibration.collect(load(content))
    assert [(arm.arm, arm.values["ece"].n) for arm in found.arms] == [("search/7", 2)]
    assert found.fitted_on == (calibration.VALIDATION,)
    assert "Predictions of 13 runs cannot be read: confirm/0, confirm/3" in " ".join(calibration.table(found).notes)


def test_without_predictions_or_trials_there_is_no_calibration(load, content, unconfirmed) -> None:
    assert calibration.collect(load(content)) is None
    assert calibration.collect(load(unconfirmed | {"trials": []})) is None
