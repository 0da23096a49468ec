"""Work that a thread of its own does ahead of its use."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

Made = TypeVar("Made")
THREAD_NAME = "prefetch"


def prefetched(work: Iterable[Callable[[], Made]], ahead: int, threads: int = 1) -> Generator[Made, None, None]:
    """Results of pieces of work in their order, while threads do the next ones.

    Pieces are taken from ``work`` in the caller's thread. What one raises is raised in its turn. An iterator that is
    closed or dropped begins no further piece, and its threads have ended when the call returns.

    Args:
        work: The pieces.
        ahead: Pieces done or begun before they are asked for, 1 or more.
        threads: How many do them.

    Example:
        >>> list(prefetched((lambda n=n: n * n for n in range(4)), ahead=2))
        [0, 1, 4, 9]
    """
    pieces = iter(work)
    pool = ThreadPoolExecutor(threads, thread_name_prefix=THREAD_NAME)
    try:
        pending = deque(pool.submit(piece) for piece in islice(pieces, ahead))
        while pending:
            made = pending.popleft().result()
            pending.extend(pool.submit(piece) for piece in islice(pieces, 1))
            yield made
    finally:
        pool.shutdown(cancel_futures=True)
