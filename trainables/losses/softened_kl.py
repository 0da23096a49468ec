"""Distillation loss: KL divergence between softened predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.losses.precision import at_least_float32

if TYPE_CHECKING:
    from torch import Tensor


def softened_kl(
    student: Tensor, teacher: Tensor, temperature: Tensor | float, *, teacher_gradient: bool = False
) -> Tensor:
    r"""KL divergence between softened predictions times T squared, averaged over the batch.

    .. math:: T^2 \, \frac{1}{n} \sum_i \mathrm{KL}(\sigma(t_i / T) \,\|\, \sigma(s_i / T))

    Args:
        student: Logits :math:`s` ``[n, classes]``; receive the gradient :math:`\frac{T}{n} (\sigma(s_i/T) -
            \sigma(t_i/T))`.
        teacher: Logits :math:`t` ``[n, classes]``, treated as constants. A class with probability 0 adds nothing.
        temperature: Temperature :math:`T` > 0; a tensor, so that one compiled step serves all trials.
        teacher_gradient: Whether the gradient also flows into the teacher, for ablations.

    Returns:
        Scalar >= 0 in nats, up to rounding, in float32, or in float64 for float64 logits. The KL divergence is summed
        over the classes (Yun et al., CVPR 2020, equation 1). The factor T squared keeps the size of the gradient
        comparable across temperatures (Hinton et al. 2015, section 2.1).

    Example:
        >>> import torch
        >>> softened_kl(torch.zeros(2, 3), torch.zeros(2, 3), temperature=4.0)
        tensor(0.)
    """
    log_p = (at_least_float32(student) / temperature).log_softmax(dim=1)
    log_q = (at_least_float32(teacher if teacher_gradient else teacher.detach()) / temperature).log_softmax(dim=1)
    q = log_q.exp()
    terms = (q * (log_q - log_p)).masked_fill(q == 0, 0.0)
    return temperature**2 * terms.sum(dim=1).mean()
