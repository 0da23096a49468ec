"""Shows a running study: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from search_spaces.symbols import symbol
from study.store import PHASES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from study.assignment import Assignment
    from study.directory import Study
    from study.phases import Phase

COLUMNS = ("COMPLETE", "PRUNED", "FAIL")


class Progress:
    """Counts, best value, rate and time left; the dispatcher's listener.

    Args:
        study: What runs.
        phases: Its phases.
        console: Where to write.
    """

    def __init__(self, study: Study, phases: Sequence[Phase], console: Console) -> None:
        self._study = study
        self._phases = phases
        self._console = console
        self._settled = {name: Counter(trial.state.name for trial in study.store.trials(name)) for name in PHASES}
        for counts in self._settled.values():
            counts.pop("RUNNING", None)
        self._planned = {phase.name: phase.planned() for phase in phases}
        self._running: dict[tuple[str, int], int] = {}
        self._confirming = False
        self._epochs = 0
        self._start = time.monotonic()
        self._best = self._best_so_far()
        self._live = Live(console=console, get_renderable=self._renderable, refresh_per_second=2, transient=True)

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def started(self, assignment: Assignment) -> None:
        """A run was handed out."""
        if assignment.phase == "confirm" and not self._confirming:
            # Until the search has ended, the number of confirmations is an estimate.
            self._confirming = True
            self._planned = {phase.name: phase.planned() for phase in self._phases}
        self._running[(assignment.phase, assignment.number)] = 0

    def epoch(self, assignment: Assignment, epoch: int, metrics: Mapping[str, float]) -> None:
        """A run finished an epoch."""
        del metrics
        self._running[(assignment.phase, assignment.number)] = epoch
        self._epochs += 1

    def settled(self, assignment: Assignment, state: str, value: float | None, error: str | None) -> None:
        """A trial has its final state."""
        self._running.pop((assignment.phase, assignment.number), None)
        self._settled[assignment.phase][state] += 1
        if assignment.phase == "search" and state == "COMPLETE" and value is not None:
            self._best = (
                value if self._best is None else (min if self._study.config.minimizes else max)(self._best, value)
            )
        shown = "" if value is None else f" {self._percent(value)}"
        self._line(f"{assignment.phase} {assignment.number}: {state}{shown} ({_settings(assignment)}){_reason(error)}")

    def retried(self, assignment: Assignment, error: str) -> None:
        """A run was lost and will be tried again."""
        self._running.pop((assignment.phase, assignment.number), None)
        self._line(
            f"{assignment.phase} {assignment.number}: attempt {assignment.attempt} ended, tried again{_reason(error)}"
        )

    def note(self, text: str) -> None:
        """Writes a line of its own."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _line(self, text: str) -> None:
        done = sum(sum(counts.values()) for counts in self._settled.values())
        planned = sum(self._planned.values())
        tail = (
            ""
            if self._console.is_terminal
            else f"  [{done}/{planned}, best {self._best_text()}, {self._time_left()} left]"
        )
        self.note(f"{time.strftime('%H:%M:%S')} {text}{tail}")

    def _renderable(self) -> Group:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("", "planned", "running", "done", "pruned", "failed"):
            table.add_column(heading, justify="left" if not heading else "right")
        for phase in self._phases:
            counts = self._settled[phase.name]
            running = sum(name == phase.name for name, _ in list(self._running))
            table.add_row(
                phase.name, str(self._planned[phase.name]), str(running), *(str(counts[state]) for state in COLUMNS)
            )
        summary = (
            f"best {self._best_text()} | {self._rate():.2f} epochs/s | {self._time_left()} left | Ctrl+C stops cleanly"
        )
        return Group(table, Text(summary))

    def _best_so_far(self) -> float | None:
        values = [trial.value for trial in self._study.store.trials("search") if trial.state.name == "COMPLETE"]
        known = [value for value in values if value is not None]
        return (min if self._study.config.minimizes else max)(known) if known else None

    def _best_text(self) -> str:
        return "-" if self._best is None else self._percent(self._best)

    def _percent(self, value: float) -> str:
        return f"{value:.4f}" if self._study.config.objective.endswith("/nll") else f"{100 * value:.2f} %"

    def _rate(self) -> float:
        return self._epochs / max(time.monotonic() - self._start, 1e-9)

    def _time_left(self) -> str:
        if not self._epochs:
            return "?"
        open_trials = sum(
            max(self._planned[phase.name] - sum(self._settled[phase.name].values()), 0) for phase in self._phases
        )
        epochs = open_trials * self._study.config.training.epochs - sum(self._running.values())
        return _clock(max(epochs, 0) / self._rate())


def _settings(assignment: Assignment) -> str:
    method = assignment.config.method
    numbers = {name: getattr(method, name) for name in type(method).model_fields}
    shown = [f"{symbol(name).text} {x:.4g}" for name, x in numbers.items() if isinstance(x, float)]
    return ", ".join([method.part_name(), *shown, *([f"seed {assignment.config.seed}"] if assignment.access else [])])


def _reason(error: str | None) -> str:
    return f": {error}" if error else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
