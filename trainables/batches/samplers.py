"""Class-pair sampling: draws the order of the anchors of an epoch and their partners."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from trainables.errors import DataError

STREAMS = {"anchor": 0, "partner": 1, "other_partner": 2}


class ClassPairSampler:
    """Draws epochs of class pairs by index arithmetic (Yun et al. 2020, algorithm 1).

    A counter-based generator is keyed by seed and epoch, so each epoch can be drawn without the earlier ones. Each
    source has its own stream, so requesting one does not change another. Only raw 64-bit numbers are used, because
    NumPy, unlike for its distributions, guarantees that they are the same in all versions. A choice among m is the
    remainder of such a number, whose probabilities deviate from uniform by a factor of at most ``1 + m / 2**64``.

    Args:
        labels: Labels, int64 ``[n]``, not negative.
        seed: Seed of the run, in ``[0, 2**63)``.

    Raises:
        DataError: A class has only one image, which has no partner.

    Example:
        >>> labels = np.array([0, 1, 0, 1])
        >>> drawn = ClassPairSampler(labels, seed=0).epoch(0, {"partner"})
        >>> bool((labels[drawn["partner"]] == labels[drawn["anchor"]]).all())
        True
    """

    def __init__(self, labels: NDArray[np.int64], seed: int) -> None:
        sizes = np.bincount(labels)
        if (sizes == 1).any():
            raise DataError(f"class {np.flatnonzero(sizes == 1)[0]} has a single training image; class pairs need two")
        self._seed = seed
        self._by_class = np.argsort(labels, kind="stable")
        self._size = sizes[labels]
        self._start = (np.cumsum(sizes) - sizes)[labels]
        self._rank = np.empty(len(labels), np.int64)
        self._rank[self._by_class] = np.arange(len(labels))
        self._rank -= self._start

    def epoch(self, epoch: int, sources: Collection[str]) -> dict[str, NDArray[np.int64]]:
        """Draws a zero-based epoch.

        Args:
            epoch: Zero-based epoch.
            sources: Sources to draw: ``anchor``, ``partner``, ``other_partner`` (see ``View``).

        Returns:
            Indices ``[n]`` of each source. ``anchor``, which is always included, is a permutation. Entry i of the
            others is the partner of anchor i, uniform over its class; ``other_partner`` excludes the anchor itself.
        """
        anchor = np.argsort(self._raw(epoch, "anchor"), kind="stable")
        partners = {source: self._partners(epoch, source, anchor) for source in sources if source != "anchor"}
        return {"anchor": anchor, **partners}

    def _partners(self, epoch: int, source: str, anchor: NDArray[np.int64]) -> NDArray[np.int64]:
        size, raw = self._size[anchor], self._raw(epoch, source)
        if source == "partner":
            rank = _remainder(raw, size)
        else:
            rank = (self._rank[anchor] + 1 + _remainder(raw, size - 1)) % size
        chosen: NDArray[np.int64] = self._by_class[self._start[anchor] + rank]
        return chosen

    def _raw(self, epoch: int, source: str) -> NDArray[np.uint64]:
        key = np.array([self._seed, epoch], np.uint64)
        generator = np.random.Philox(key=key, counter=np.array([0, 0, 0, STREAMS[source]], np.uint64))
        raw: NDArray[np.uint64] = generator.random_raw(len(self._rank))
        return raw


def _remainder(raw: NDArray[np.uint64], size: NDArray[np.int64]) -> NDArray[np.int64]:
    return (raw % size.astype(np.uint64)).astype(np.int64)
