"""Random mixing of the images of a batch (Zhang et al., mixup, ICLR 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from trainables.interfaces import Mixing

if TYPE_CHECKING:
    from collections.abc import Sequence

MIXING_STREAM = 2000


def draw_mixing(alpha: float, seed: int, epoch: int, sizes: Sequence[int], device: torch.device) -> list[Mixing]:
    """Draws the mixing of each batch of an epoch; it depends only on seed and epoch.

    Args:
        alpha: Parameter of Beta(alpha, alpha), greater than 0: 1 is uniform, small values mix little.
        seed: Seed of the run.
        epoch: Zero-based epoch.
        sizes: Number of images of each batch.
        device: Device of the batches.

    Example:
        >>> one, other = (draw_mixing(1.0, 0, 3, [4], torch.device("cpu"))[0] for _ in range(2))
        >>> bool(one.share == other.share) and torch.equal(one.order, other.order)
        True
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch, MIXING_STREAM])))
    drawn = [(generator.beta(alpha, alpha), generator.permutation(size)) for size in sizes]
    # One transfer for the whole epoch, because each transfer waits for the GPU.
    shares = torch.tensor([share for share, _ in drawn], dtype=torch.float32).to(device)
    orders = torch.from_numpy(np.concatenate([order for _, order in drawn])).to(device)
    return [Mixing(share, order) for share, order in zip(shares, torch.split(orders, list(sizes)), strict=True)]
