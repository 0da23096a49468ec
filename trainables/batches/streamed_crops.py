"""Crops of images that are fetched from an object store as they are needed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from trainables.batches.resized_crops import AHEAD, RaggedStore
from trainables.files.prefetch import prefetched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

READERS = 32  # concurrent requests per batch: images are small, and the latency is high


class StreamedStore(RaggedStore):
    """Store like ``RaggedStore``, with the same batches, whose images ``READERS`` threads fetch for each batch.

    On a CPU batches are prepared ahead as well, at least two at a time, so that the images of one are fetched while
    another is cropped.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        if not self._may_reside or not self._keeps_centres:
            self.ahead = AHEAD

    @property
    def threads(self) -> int:
        """Number of threads that prepare batches ahead."""
        return max(2, torch.get_num_threads())

    def _pictures(self, index: Iterable[int]) -> Iterator[Tensor]:
        return prefetched((partial(self._image, each) for each in index), ahead=2 * READERS, threads=READERS)

    def _image(self, index: int) -> Tensor:
        return torch.from_numpy(self._images[index])
