"""Crops of images that come from an object store as they are needed, many requests at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from trainables.batches.resized_crops import AHEAD, RaggedStore
from trainables.files.prefetch import prefetched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

READERS = 32  # requests at once for a batch: an image is small, and its way is long


class StreamedStore(RaggedStore):
    """As ``RaggedStore``, with the same batches; pixels come through ``READERS`` threads for each batch on its way.

    On a CPU, too, batches are cut ahead, two at a time, for the requests of the second travel while the first is cut.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        if not self._may_reside or not self._keeps_centres:
            self.ahead = AHEAD

    @property
    def threads(self) -> int:
        """Threads that cut batches ahead."""
        return max(2, torch.get_num_threads())

    def _pictures(self, index: Iterable[int]) -> Iterator[Tensor]:
        return prefetched((partial(self._image, each) for each in index), ahead=2 * READERS, threads=READERS)

    def _image(self, index: int) -> Tensor:
        return torch.from_numpy(self._images[index])
