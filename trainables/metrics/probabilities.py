"""Log-probabilities from logits, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def log_softmax(logits: Floats) -> NDArray[np.float64]:
    """Log-probabilities ``[n, classes]`` in nats from logits ``[n, classes]``, in float64.

    Rows with a NaN or an infinite maximum become NaN.
    """
    values = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):  # logits of a diverged network; the caller checks the result
        values -= values.max(axis=1, keepdims=True)
        values -= np.log(np.exp(values).sum(axis=1, keepdims=True))
    return values
