"""Mixtures of the images of a batch, and cross-entropy with their mixed labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.losses.cross_entropy import cross_entropy

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.interfaces import Mixing


def mixed(values: Tensor, mixing: Mixing) -> Tensor:
    r"""Mixes each row with another of its batch: :math:`\lambda x_i + (1 - \lambda) x_{\pi(i)}`.

    Args:
        values: Rows ``[n, ...]``, such as images after augmentation and normalisation.
        mixing: Share :math:`\lambda` in [0, 1] and order :math:`\pi` (Zhang et al., mixup, ICLR 2018, section 2).

    Returns:
        Mixtures ``[n, ...]``.

    Example:
        >>> import torch
        >>> from trainables.interfaces import Mixing
        >>> mixed(torch.tensor([[0.0], [1.0]]), Mixing(torch.tensor(0.75), torch.tensor([1, 0])))
        tensor([[0.2500],
                [0.7500]])
    """
    return mixing.share * values + (1 - mixing.share) * values[mixing.order]


def mixed_cross_entropy(logits: Tensor, labels: Tensor, mixing: Mixing) -> Tensor:
    r"""Cross-entropy with mixed labels: :math:`\lambda CE(z, y) + (1 - \lambda) CE(z, y_\pi)`.

    Args:
        logits: Logits of the mixed images ``[n, classes]``.
        labels: Labels of the images before mixing, int64 ``[n]`` in ``[0, classes)``.
        mixing: Share and order with which the images were mixed.

    Returns:
        Scalar >= 0 in nats, in float32, or in float64 for float64 logits.

    Example:
        >>> import torch
        >>> from trainables.interfaces import Mixing
        >>> half = Mixing(torch.tensor(0.5), torch.tensor([1, 0]))
        >>> mixed_cross_entropy(torch.zeros(2, 2), torch.tensor([0, 1]), half)
        tensor(0.6931)
    """
    other = cross_entropy(logits, labels[mixing.order])
    return mixing.share * cross_entropy(logits, labels) + (1 - mixing.share) * other
