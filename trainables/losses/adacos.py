"""The scale of cosine logits that AdaCos sets by itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

EDGE = 1e-7


def initial_scale(num_classes: int) -> float:
    r"""The fixed scale :math:`\sqrt 2 \ln(C - 1)` (Zhang et al., AdaCos, CVPR 2019, equation 12).

    Example:
        >>> round(initial_scale(100), 2)
        6.5
    """
    return math.sqrt(2) * math.log(num_classes - 1)


def next_scale(cosines: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
    r"""The dynamic scale of a training step (Zhang et al., AdaCos, CVPR 2019, equations 14 and 15).

    .. math::
        \frac{\ln B}{\cos \min(\pi/4, \theta)}, \quad
        B = \frac{1}{n} \sum_i \sum_{k \neq y_i} e^{s \cos_{ik}}, \quad
        \theta = \mathrm{median}_i \arccos \cos_{i y_i}

    Args:
        cosines: ``[n, classes]`` in [-1, 1], treated as constants.
        labels: int64 ``[n]`` in ``[0, classes)``.
        scale: :math:`s`, the scale of the step before.

    Returns:
        Scalar without gradient; the median of an even batch is the lower one.

    Example:
        >>> import torch
        >>> next_scale(torch.eye(3), torch.tensor([0, 1, 2]), torch.tensor(2.0))
        tensor(0.6931)
    """
    cosines = cosines.detach()
    own = cosines.gather(1, labels[:, None])
    others = (scale * cosines).exp().scatter(1, labels[:, None], 0.0)
    angle = own.clamp(-1 + EDGE, 1 - EDGE).arccos().median()
    return others.sum(dim=1).mean().log() / angle.clamp(max=math.pi / 4).cos()
