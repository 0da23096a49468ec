"""Shows the progress of a running study: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from analysis.words.safe_text import safe_line
from analysis.words.units import clock
from search_spaces.symbols import symbol
from study.phases.sequence import SEARCHING
from study.state.optuna_store import PHASES, rank_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from study.phases.phase import Phase
    from study.state.directory import OpenStudy
    from trainables.runs.assignment import Assignment

COLUMNS = ("COMPLETE", "PRUNED", "FAIL")
REMEMBERED = 500


class Pace:
    """Rate of the latest epochs, over all runs together.

    The first epochs of the runs that started together are not counted, so that the start-up time of the workers does
    not distort the estimate.
    """

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=REMEMBERED)
        self._together = 1

    def __str__(self) -> str:
        rate = self.rate()
        if rate is None:
            return "- epochs/s"
        unit, seconds = next((u, s) for u, s in (("s", 1), ("min", 60), ("h", 3600)) if rate * s >= 1 or u == "h")
        return f"{rate * seconds:.1f} epochs/{unit}"

    def epoch(self, running: int) -> None:
        """Counts an epoch that ended while ``running`` runs were running."""
        if not self._times:
            self._together = max(running, 1)
        self._times.append(time.monotonic())

    def rate(self) -> float | None:
        """Returns the epochs per second, or None while only first epochs have been counted."""
        counted = len(self._times) - (1 if len(self._times) == REMEMBERED else self._together)
        elapsed = time.monotonic() - self._times[0] if counted > 0 else 0.0
        return counted / elapsed if elapsed > 0 else None


class Progress:
    """Listener that shows counts, best value, rate and time left.

    Args:
        study: Open study.
        phases: Phases of the study.
        console: Console that shows the progress.
    """

    def __init__(self, study: OpenStudy, phases: Sequence[Phase], console: Console) -> None:
        self._study = study
        self._phases = phases
        self._console = console
        self._settled: dict[str, Counter[str]] = {
            name: Counter(trial.state.name for trial in study.store.trials(name)) for name in PHASES
        }
        for counts in self._settled.values():
            counts.pop("RUNNING", None)
        self._planned: dict[str, int] = {phase.name: phase.planned() for phase in phases}
        self._running: dict[tuple[str, int], int] = {}
        self._lengths = [trial.last_step or 0 for trial in study.store.trials("search") if trial.values]
        self._whole: dict[str, int] = {phase.name: sum(map(_epochs, _ended(study, phase))) for phase in phases}
        self._pace = Pace()
        self._best = self._best_so_far()
        self._live = Live(console=console, get_renderable=self._renderable, refresh_per_second=2, transient=True)

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def started(self, assignment: Assignment) -> None:
        """A run was assigned to a worker."""
        self._running[(assignment.phase, assignment.number)] = 0

    def taken_over(self, assignment: Assignment, source: str) -> None:
        """A run reuses the epochs of an identical run of another study and is not trained."""
        self._line(f"{assignment.phase}/{assignment.number}: reused from {source}, not trained")

    def epoch(self, assignment: Assignment, epoch: int, metrics: Mapping[str, float]) -> None:
        """A run finished an epoch."""
        del metrics
        self._running[(assignment.phase, assignment.number)] = epoch
        self._pace.epoch(len(self._running))

    def settled(self, assignment: Assignment, state: str, value: float | None, error: str | None) -> None:
        """A trial reached its final state."""
        self._count_last_epoch(assignment, state)
        self._settled[assignment.phase][state] += 1
        if assignment.phase != "confirm" and not self._still_searching():
            # The number of confirmations is an estimate until the finalists are known.
            self._planned = {phase.name: phase.planned() for phase in self._phases}
        if assignment.phase == "search" and state == "COMPLETE" and value is not None:
            self._best = (
                value if self._best is None else (min if self._study.config.minimizes else max)(self._best, value)
            )
        shown = "" if value is None else f" {self._percent(value)}"
        self._line(f"{assignment.phase}/{assignment.number}: {state}{shown} ({_settings(assignment)}){_reason(error)}")

    def retried(self, assignment: Assignment, error: str) -> None:
        """A run was lost and will be retried."""
        self._running.pop((assignment.phase, assignment.number), None)
        self._line(
            f"{assignment.phase}/{assignment.number}: attempt {assignment.attempt} ended, retrying{_reason(error)}"
        )

    def warned(self, assignment: Assignment, text: str) -> None:
        """A run reported a problem and continues."""
        self._line(f"{assignment.phase}/{assignment.number}: {text}")

    def cut_short(self, phase: str, reason: str) -> None:
        """A phase ended before all of its runs."""
        self._planned = {phase.name: phase.planned() for phase in self._phases}
        self._line(f"{phase} ends: {reason}")

    def left_out(self, node: str, reason: str) -> None:
        """A node was excluded and gets no more runs."""
        self.note(f"node {node} is excluded: {reason}; `cskd resume` includes it again")

    def note(self, text: str) -> None:
        """Writes a line of text."""
        self._console.print(safe_line(text), highlight=False, markup=False, soft_wrap=True)

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
        summary = f"best {self._best_text()} | {self._pace} | {self._time_left()} left | Ctrl+C stops cleanly"
        return Group(table, Text(summary))

    def _best_so_far(self) -> float | None:
        values = [rank_value(trial) for trial in self._study.store.trials("search") if trial.state.name == "COMPLETE"]
        known = [value for value in values if value is not None]
        return (min if self._study.config.minimizes else max)(known) if known else None

    def _best_text(self) -> str:
        return "-" if self._best is None else self._percent(self._best)

    def _percent(self, value: float) -> str:
        return f"{value:.4f}" if self._study.config.objective.endswith("/nll") else f"{100 * value:.2f} %"

    def _count_last_epoch(self, assignment: Assignment, state: str) -> None:
        """Counts a run's last epoch, which is reported with the run's end and not as an epoch."""
        seen = self._running.pop((assignment.phase, assignment.number), None)
        whole = _epochs(assignment)
        self._whole[assignment.phase] += whole
        if state == "COMPLETE" and seen == whole - 1:
            self._pace.epoch(len(self._running) + 1)
        if assignment.phase == "search" and state != "FAIL":
            self._lengths.append(whole if state == "COMPLETE" else seen or 0)

    def _still_searching(self) -> bool:
        return any(self._open_trials(name) for name in SEARCHING)

    def _open_trials(self, phase: str) -> int:
        return max(self._planned[phase] - sum(self._settled[phase].values()), 0)

    def _time_left(self) -> str:
        rate = self._pace.rate()
        if rate is None:
            return "?" if self._planned and any(map(self._open_trials, self._planned)) else clock(0)
        epochs = sum(self._epochs_left(name) for name in self._planned)
        return clock(max(epochs - sum(list(self._running.values())), 0) / rate)

    def _epochs_left(self, phase: str) -> float:
        if not self._open_trials(phase):
            return 0.0
        if phase == "search":
            return self._open_trials(phase) * self._epochs_of(phase)
        return self._planned[phase] * self._epochs_of(phase) - self._whole[phase]

    def _epochs_of(self, phase: str) -> float:
        """Returns the mean epochs of a phase's trials; controls may be shorter, and schedulers may stop trials."""
        config = self._study.config
        whole = config.training.epochs
        controls = [config.control_config(number).training.epochs for number in range(len(config.controls))]
        if phase == "controls":
            return sum(controls) / max(len(controls), 1)
        if phase == "confirm":
            arms = [*[whole] * config.confirm.finalists, *controls]
            return sum(arms) / len(arms)
        if phase == "race" or config.search.scheduler.name == "none" or not self._lengths:
            return whole
        # Trials that stop early end first, so running trials count as whole ones; otherwise the mean would be too low.
        running = sum(name == "search" for name, _ in list(self._running))
        return (sum(self._lengths) + running * whole) / (len(self._lengths) + running)


def _ended(study: OpenStudy, phase: Phase) -> list[Assignment]:
    trials = study.store.trials(phase.name)
    return [phase.assignment(trial) for trial in trials if trial.state.is_finished()]


def _epochs(assignment: Assignment) -> int:
    return assignment.config.training.epochs


def _settings(assignment: Assignment) -> str:
    method = assignment.config.method
    numbers = {name: getattr(method, name) for name in type(method).model_fields}
    shown = [f"{symbol(name).text} {x:.4g}" for name, x in numbers.items() if isinstance(x, float)]
    return ", ".join([method.part_name(), *shown, *([f"seed {assignment.config.seed}"] if assignment.access else [])])


def _reason(error: str | None) -> str:
    return f": {error}" if error else ""
