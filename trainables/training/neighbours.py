"""Nearest-neighbour search on a device, with the same results as ``trainables.metrics.classification``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from trainables.batches.residency import free_bytes
from trainables.metrics import classification

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

BLOCK = 1024
COPIES = 3  # simultaneous copies of the points and of a block's distances


def search_for(device: torch.device) -> classification.NeighbourSearch:
    """Faster search for features of a network on ``device``.

    On a CPU NumPy is faster: 2.3 s against 2.4 s for 10,000 points of width 512 on one thread.
    """
    return classification.search_blocks if device.type == "cpu" else partial(search_on, device)


def search_on(
    device: torch.device, points: NDArray[np.float64], queries: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[classification.Candidates]]:
    """Runs ``metrics.search_blocks`` on a device, or on the CPU if the device has too little free memory.

    Args:
        device: Device of the search.
        points: Float64 ``[m, width]``, all different.
        queries: Indices ``[q]`` of the points whose nearest other point is searched.
    """
    block = min(BLOCK, len(queries))
    if COPIES * points.itemsize * (points.size + block * len(points)) > free_bytes(device):
        return classification.search_blocks(points, queries)
    values = torch.from_numpy(points).to(device)
    centred = values - values.mean(dim=0)
    squares = centred.square().sum(dim=1)
    slacks = squares * classification.slack(points.shape[1])
    found, close = [], list[classification.Candidates]()
    for number, rows in enumerate(torch.split(torch.from_numpy(queries).to(device), BLOCK)):
        nearest, candidates = _compare(centred, squares, slacks, rows)
        found.append(nearest)
        for row in (candidates.sum(dim=1) > 1).nonzero().flatten().tolist():
            close.append((number * BLOCK + row, candidates[row].nonzero().flatten().cpu().numpy()))
    return (torch.cat(found).cpu().numpy() if found else np.empty_like(queries)), close


def _compare(centred: Tensor, squares: Tensor, slacks: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Point with the lowest upper bound for each row ``[r]``, and mask of the points that may be nearest ``[r, m]``."""
    highest = torch.addmm(squares + slacks, centred[rows], centred.T, alpha=-2)
    highest[torch.arange(len(rows), device=rows.device), rows] = torch.inf
    lowest, nearest = highest.min(dim=1)
    return nearest, highest - 2 * slacks <= (lowest + 2 * slacks[rows])[:, None]
