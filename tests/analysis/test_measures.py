import subprocess
import sys

import numpy as np
import pytest

from analysis.measures import measure, measure_run
from analysis.records import Predictions
from trainables import calibration, metrics
from trainables.predictions import write


def predictions(seed, count=90, classes=6):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    logits = rng.normal(0, 4, (count, classes)).astype(np.float32)
    logits[np.arange(count), labels] += 5
    return Predictions(logits, rng.normal(size=(count, 4)).astype(np.float32), labels)


def test_everything_follows_from_predictions():
    test, validation = predictions(0), predictions(1)
    found = measure(test, validation, ("a",) * 3 + ("b",) * 3)
    assert found.values.keys() == metrics.METRICS.keys() | calibration.CALIBRATION.keys()
    assert found.note == ""
    assert found.hierarchy.groups == ("a", "b")
    for name, value in metrics.evaluate(test.logits, test.labels).items():
        assert found.values[name] == value


def test_the_temperature_comes_from_validation_and_not_from_the_test():
    test, validation = predictions(0), predictions(1)
    found = measure(test, validation)
    assert found.temperature == calibration.fit_temperature(validation.logits, validation.labels)
    sharper = test._replace(logits=test.logits * 9)
    assert measure(sharper, validation).temperature == found.temperature
    assert found.values["nll_scaled"] == pytest.approx(
        metrics.negative_log_likelihood(test.logits / found.temperature.temperature, test.labels), rel=1e-6
    )


def test_without_a_validation_split_nothing_is_scaled_and_it_says_so():
    found = measure(predictions(0))
    assert found.temperature is None
    assert found.hierarchy is None
    assert not {"ece_scaled", "nll_scaled"} & found.values.keys()
    assert found.note.startswith("no temperature scaling")


def test_no_torch_is_loaded():
    script = "import sys, analysis.measures; assert not {'torch', 'ray', 'mlflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("groups", [(), ("a", "a", "b", "b", "b", "c")])
def test_a_run_directory_holds_all_that_is_needed(tmp_path, groups):
    test, validation = predictions(0), predictions(1)
    write(tmp_path / "predictions.parquet", test, tuple("uvwxyz"), groups)
    full = measure_run(tmp_path)
    assert full.note.startswith("no temperature scaling")
    assert (full.hierarchy is None) == (groups == ())
    write(tmp_path / "validation_predictions.parquet", validation, tuple("uvwxyz"), groups)
    assert measure_run(tmp_path).values == measure(test, validation, groups).values
