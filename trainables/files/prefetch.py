"""Runs work in background threads ahead of its use."""

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
    """Yields the results of callables in order, while threads run the next ones.

    ``work`` is iterated in the caller's thread. An exception is raised at its position in the order. Closing or
    dropping the generator starts no further callables and waits for its threads.

    Args:
        work: Callables without arguments.
        ahead: Number of callables started before their results are needed, 1 or more.
        threads: Number of threads.

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
