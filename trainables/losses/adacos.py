"""Adaptive scale of cosine logits (AdaCos)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

EDGE = 1e-7


def initial_scale(num_classes: int) -> float:
    r"""Initial scale :math:`\sqrt 2 \ln(C - 1)` (Zhang et al., AdaCos, CVPR 2019, equation 12).

    Args:
        num_classes: Number of classes :math:`C`, at least 3; with two the scale would be 0.

    Example:
        >>> round(initial_scale(100), 2)
        6.5
    """
    return math.sqrt(2) * math.log(num_classes - 1)


def next_scale(cosines: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
    r"""Dynamic scale of a training step (Zhang et al., AdaCos, CVPR 2019, equations 14 and 15).

    .. math::
        \frac{\ln B}{\cos \min(\pi/4, \theta)}, \quad
        B = \frac{1}{n} \sum_i \sum_{k \neq y_i} e^{s \cos_{ik}}, \quad
        \theta = \mathrm{median}_i \arccos \cos_{i y_i}

    Args:
        cosines: Cosines ``[n, classes]`` in [-1, 1], treated as constants.
        labels: Labels, int64 ``[n]`` in ``[0, classes)``.
        scale: Scale :math:`s` of the previous step, a scalar greater than 0.

    Returns:
        Scalar without gradient. For an even number of images the lower median is used.

    Example:
        >>> import torch
        >>> next_scale(torch.eye(3), torch.tensor([0, 1, 2]), torch.tensor(2.0))
        tensor(0.6931)
    """
    cosines = cosines.detach()
    label_cosines = cosines.gather(1, labels[:, None])
    others = (scale * cosines).exp().scatter(1, labels[:, None], 0.0)
    angle = label_cosines.clamp(-1 + EDGE, 1 - EDGE).arccos().median()
    return others.sum(dim=1).mean().log() / angle.clamp(max=math.pi / 4).cos()
