"""Cross-entropy with hard or smoothed targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.losses.precision import at_least_float32

if TYPE_CHECKING:
    from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: Tensor | float = 0.0) -> Tensor:
    r"""Cross-entropy with hard or smoothed targets, averaged over the batch.

    .. math:: -\frac{1}{n} \sum_i \sum_c \left((1 - \epsilon) [c = y_i] + \frac{\epsilon}{C}\right) \log \sigma(z_i)_c

    Args:
        logits: Logits ``[n, classes]``.
        labels: Labels, int64 ``[n]`` in ``[0, classes)``.
        smoothing: Fraction :math:`\epsilon` in [0, 1) that is spread over all classes (Szegedy et al., CVPR 2016,
            section 7); a tensor, so that one compiled step serves all trials.

    Returns:
        Scalar >= 0 in nats, in float32, or in float64 for float64 logits.

    Example:
        >>> import torch
        >>> cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]), smoothing=0.1)
        tensor(1.3863)
    """
    log_p = at_least_float32(logits).log_softmax(dim=1)
    hard = -log_p.gather(1, labels[:, None]).mean()
    if isinstance(smoothing, float) and smoothing == 0.0:
        return hard
    return (1 - smoothing) * hard - smoothing * log_p.mean()
