"""Shows how work on data goes: on a terminal a bar for each step, elsewhere a line for each step and tenth of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from trainables.interfaces import Dataset


class DataProgress:
    """Is told of the work on a data set, and shows it.

    Args:
        name: Of the data set.
        console: Where it is shown.
    """

    def __init__(self, name: str, console: Console) -> None:
        self._name = name
        self._console = console
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._last: tuple[str, int] = ("", -1)

    def __enter__(self) -> DataProgress:
        if self._console.is_terminal:
            from rich.progress import Progress

            self._bars = Progress(console=self._console, transient=True)
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Shows that ``done`` of ``total`` (0: unknown) of a step is done."""
        if self._bars is not None:
            if what not in self._tasks:
                self._tasks[what] = self._bars.add_task(what, total=total or None)
            self._bars.update(self._tasks[what], completed=done, total=total or None)
            return
        tenth = 10 * done // total if total else 0
        if (what, tenth) != self._last:
            self._last = (what, tenth)
            amount = f" {done:,} of {total:,}" if total else ""
            self._console.print(f"{self._name}: {what}{amount}", highlight=False, markup=False, soft_wrap=True)


def bring(dataset: Dataset, console: Console) -> Dataset:
    """The data set in a folder of this machine; what lies in an object store is fetched first, which is shown.

    Raises:
        DataError: It is not in the store, or damaged there.
        ObjectStoreError: The store does not answer, or refuses.
        OSError: There is no room for it.
    """
    with DataProgress(dataset.part_name(), console) as shown:
        return dataset.here(shown, patience_seconds=0)
