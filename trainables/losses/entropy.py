"""Entropy of predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.losses.precision import at_least_float32

if TYPE_CHECKING:
    from torch import Tensor


def mean_entropy(logits: Tensor) -> Tensor:
    r"""Entropy of the predictions, summed over the classes, averaged over the batch.

    .. math:: -\frac{1}{n} \sum_i \sum_c p_{ic} \log p_{ic}, \quad p_i = \sigma(z_i)

    Args:
        logits: Logits ``[n, classes]``.

    Returns:
        Scalar in [0, log(classes)] in nats, in float32, or in float64 for float64 logits (Pereyra et al., ICLR workshop
        2017, section 3). One public library averages over the classes instead of summing.

    Example:
        >>> import torch
        >>> mean_entropy(torch.zeros(2, 4))
        tensor(1.3863)
    """
    log_p = at_least_float32(logits).log_softmax(dim=1)
    return -(log_p.exp() * log_p).sum(dim=1).mean()
