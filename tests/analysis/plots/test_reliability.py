from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.drawing.rendering import render
from analysis.drawing.style import styled
from analysis.plots import reliability
from trainables.metrics.ece import expected_calibration_error


def by_hand(logits: np.ndarray, labels: np.ndarray) -> dict[int, tuple[int, float, float]]:
    """Returns number of predictions, accuracy and mean confidence of each of 20 right-closed bins."""
    z = logits.astype(np.float64)
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    confidence, hit = p.max(1), p.argmax(1) == labels
    bins = np.ceil(confidence * 20).astype(int) - 1
    return {m: ((bins == m).sum(), hit[bins == m].mean(), confidence[bins == m].mean()) for m in sorted(set(bins))}


def test_bins_pool_the_predictions_of_all_seeds(load: Any, content: dict[str, Any], with_predictions: Any) -> None:
    data = reliability.collect(load(content))
    trials = [run["trial"] for run in content["confirmations"] if run["arm"] == "search/7"]
    expected = by_hand(*(np.concatenate([with_predictions[trial][part] for trial in trials]) for part in (0, 1)))
    found = data.bins[data.bins["label"] == "CS-KD"]
    assert [round(20 * low) for low in found["low"]] == list(expected)
    np.testing.assert_allclose(found[["count", "accuracy", "confidence"]].to_numpy(), list(expected.values()))
    assert found["count"].sum() == 3 * 200


def test_errors_are_means_over_single_seeds(load: Any, content: dict[str, Any], with_predictions: Any) -> None:
    data = reliability.collect(load(content))
    assert list(data.errors) == ["Cross-entropy", "CS-KD", "CS-KD-E"]
    trials = [run["trial"] for run in content["confirmations"] if run["arm"] == "controls/0"]
    values = [expected_calibration_error(*with_predictions[trial]) for trial in trials]
    assert data.errors["Cross-entropy"].mean == pytest.approx(np.mean(values))
    assert (
        f"Cross-entropy (cifar100-cs_kd, controls/0) {100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=1):.2f} %"
        in reliability.caption(data)
    )
    render(styled(reliability.draw(data)))


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"PAR1 no more")])
def test_predictions_that_cannot_be_read_are_named(
    load: Any, content: dict[str, Any], with_predictions: Any, tmp_path: Path, damage: Any
) -> None:
    trial = next(run["trial"] for run in content["confirmations"] if run["arm"] == "search/7")
    damage(tmp_path / "confirm" / str(trial) / "predictions.parquet")
    data = reliability.collect(load(content))
    assert data.missing == (f"cifar100-cs_kd, confirm/{trial}",)
    assert data.errors["CS-KD"].n == 2
    assert f"cannot be read: cifar100-cs_kd, confirm/{trial}" in reliability.caption(data)


def test_without_predictions_there_is_no_figure(load: Any, content: dict[str, Any]) -> None:
    assert reliability.collect(load(content)) is None
