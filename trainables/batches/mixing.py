"""Random choices of methods that mix the images of a batch (Zhang et al., mixup, ICLR 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from trainables.interfaces import Mixing

if TYPE_CHECKING:
    from collections.abc import Sequence

MIXING_STREAM = 2000


def draw_mixing(alpha: float, seed: int, epoch: int, sizes: Sequence[int], device: torch.device) -> list[Mixing]:
    """The mixing of each batch of an epoch, from (seed, epoch) alone.

    Args:
        alpha: Of Beta(alpha, alpha), greater than 0: 1 is uniform, small values mix little.
        seed: Of the run.
        epoch: Zero-based.
        sizes: Images of each batch.
        device: Of the batches.

    Example:
        >>> one, other = (draw_mixing(1.0, 0, 3, [4], torch.device("cpu"))[0] for _ in range(2))
        >>> bool(one.share == other.share) and torch.equal(one.order, other.order)
        True
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch, MIXING_STREAM])))
    drawn = [(generator.beta(alpha, alpha), generator.permutation(size)) for size in sizes]
    # The whole epoch at once, for each transfer to a GPU waits for it.
    shares = torch.tensor([share for share, _ in drawn], dtype=torch.float32).to(device)
    orders = torch.from_numpy(np.concatenate([order for _, order in drawn])).to(device)
    return [Mixing(share, order) for share, order in zip(shares, torch.split(orders, list(sizes)), strict=True)]
