"""Shows the progress of work on a data set: bars on a terminal, elsewhere a line for each tenth of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from trainables.interfaces import Dataset


class DataProgress:
    """Progress callback for work on a data set.

    Args:
        name: Name of the data set.
        console: Console that shows the progress.
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

    def __call__(self, step: str, done: int, total: int) -> None:
        """Shows the progress of a step.

        Args:
            step: Name of the step.
            done: Units of work done.
            total: Units of work in all; 0 if unknown.
        """
        if self._bars is not None:
            if step not in self._tasks:
                self._tasks[step] = self._bars.add_task(step, total=total or None)
            self._bars.update(self._tasks[step], completed=done, total=total or None)
            return
        tenth = 10 * done // total if total else 0
        if (step, tenth) != self._last:
            self._last = (step, tenth)
            amount = f" {done:,} of {total:,}" if total else ""
            self._console.print(f"{self._name}: {step}{amount}", highlight=False, markup=False, soft_wrap=True)


def fetch_with_progress(dataset: Dataset, console: Console) -> Dataset:
    """Returns the data set in a local folder; data in an object store is fetched first, with progress.

    Raises:
        DataError: The data is missing in the store, or damaged there.
        ObjectStoreError: The store does not answer, or refuses the request.
        OSError: The disk is full.
    """
    with DataProgress(dataset.part_name(), console) as shown:
        return dataset.here(shown, patience_seconds=0)
