"""Metrics of classification, calibration and hierarchies in float64; import the public ones from here."""

from trainables.metrics.classification import (
    METRICS,
    Metric,
    evaluate,
    mean_loss,
    nearest_neighbours,
    negative_log_likelihood,
    recall_at_1,
    search_blocks,
    top_k_error,
)
from trainables.metrics.ece import (
    BINS,
    CalibrationBins,
    calibration_bins,
    calibration_error,
    expected_calibration_error,
)
from trainables.metrics.probabilities import log_softmax

__all__ = [
    "BINS",
    "METRICS",
    "CalibrationBins",
    "Metric",
    "calibration_bins",
    "calibration_error",
    "evaluate",
    "expected_calibration_error",
    "log_softmax",
    "mean_loss",
    "nearest_neighbours",
    "negative_log_likelihood",
    "recall_at_1",
    "search_blocks",
    "top_k_error",
]
