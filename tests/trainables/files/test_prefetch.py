import threading
from functools import partial

import pytest

from tests.kit.patience import patience
from trainables.files.prefetch import THREAD_NAME, prefetched


def running() -> int:
    return sum(thread.name.startswith(THREAD_NAME) for thread in threading.enumerate())


class Recorded:
    """Iterable of callables that records the threads used and the number of callables taken."""

    def __init__(self, count):
        self.count = count
        self.taken = 0
        self.takers, self.workers = set(), set()

    def __iter__(self):
        for number in range(self.count):
            self.taken += 1
            self.takers.add(threading.current_thread().name)
            yield partial(self.do, number)

    def do(self, number):
        self.workers.add(threading.current_thread().name)
        return number


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("ahead", [1, 2, 50])
def test_results_come_in_order_and_the_threads_end(ahead, threads):
    work = Recorded(20)
    assert list(prefetched(work, ahead, threads)) == list(range(20))
    assert work.takers == {threading.current_thread().name}
    assert all(name.startswith(THREAD_NAME) for name in work.workers)
    assert len(work.workers) <= threads
    assert running() == 0


def test_the_number_of_pieces_taken_ahead_is_limited():
    work = Recorded(20)
    made = prefetched(work, ahead=3)
    assert work.taken == 0
    for number in range(5):
        assert next(made) == number
        assert work.taken == number + 4


def test_work_continues_while_a_result_is_used():
    done = threading.Event()
    made = prefetched([lambda: 0, done.set], ahead=1)
    next(made)
    assert done.wait(patience(10))


def test_an_error_is_raised_at_its_position():
    made = prefetched([lambda: 1, lambda: 1 // 0, lambda: 3], ahead=3)
    assert next(made) == 1
    with pytest.raises(ZeroDivisionError):
        next(made)
    assert running() == 0


@pytest.mark.parametrize("leave", ["close", "drop"])
def test_a_closed_or_dropped_iterator_starts_no_more_work_and_ends_its_threads(leave):
    begun, go_on = [], threading.Event()

    def slow(number):
        begun.append(number)
        go_on.wait(patience(10))

    made = prefetched([lambda: 0, *(partial(slow, number) for number in range(5))], ahead=4)
    next(made)
    threading.Timer(0.05, go_on.set).start()
    if leave == "close":
        made.close()
    else:
        del made
    assert running() == 0
    assert len(begun) <= 1


def test_no_work_gives_no_results():
    assert list(prefetched([], ahead=2)) == []
