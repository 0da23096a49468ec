"""Squared distances between features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.losses.precision import at_least_float32

if TYPE_CHECKING:
    from torch import Tensor


def distance_of_means(one: Tensor, other: Tensor) -> Tensor:
    r"""Squared distance between the mean features of two batches: maximum mean discrepancy with a linear kernel.

    .. math:: \left\| \frac{1}{n} \sum_i f_i - \frac{1}{n} \sum_i f'_i \right\|^2

    Args:
        one: Features ``[n, width]``; receive the gradient.
        other: Features ``[n, width]``; receive the gradient.

    Returns:
        Scalar >= 0, summed over the width (Xu and Liu, AAAI 2019, equation 5), in float32, or in float64 for float64
        features.

    Example:
        >>> import torch
        >>> distance_of_means(torch.tensor([[0.0, 1.0], [2.0, 1.0]]), torch.zeros(2, 2))
        tensor(2.)
    """
    return (at_least_float32(one).mean(dim=0) - at_least_float32(other).mean(dim=0)).square().sum()


def mean_distance(student: Tensor, teacher: Tensor) -> Tensor:
    r"""Squared distance of features to their targets, averaged over the batch.

    .. math:: \frac{1}{n} \sum_i \| s_i - t_i \|^2

    Args:
        student: Features ``[n, width]``; receive the gradient.
        teacher: Target features ``[n, width]``, treated as constants.

    Returns:
        Scalar >= 0, summed over the width, in float32, or in float64 for float64 features.

    Example:
        >>> import torch
        >>> mean_distance(torch.tensor([[0.0, 1.0], [2.0, 1.0]]), torch.zeros(2, 2))
        tensor(3.)
    """
    return (at_least_float32(student) - at_least_float32(teacher.detach())).square().sum(dim=1).mean()
