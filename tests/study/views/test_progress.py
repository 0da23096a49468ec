"""Tests of the progress that a user sees of a running study."""

import io
import re
import unicodedata

import pytest
from rich.console import Console

from analysis.words import units
from study.phases.sequence import phases_of
from study.views import progress as study_progress
from study.views.progress import Pace, Progress
from tests.kit.fakes.executor import Executor


def watched(study, *, terminal: bool, fault=None, **options) -> tuple[list[str], Progress]:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=200, color_system=None)
    with Progress(study, phases_of(study), console) as progress:
        executor = Executor(study, fault, listener=progress, **options) if fault else Executor(study, listener=progress)
        executor.run()
    return text.getvalue().splitlines(), progress


def test_plain_lines_without_a_terminal(new_study) -> None:
    study = new_study(search__trials=3)

    def fault(assignment, epoch):
        faults = {("search", 0, 2): "nan", ("search", 1, 3): "lost"}
        return faults.get((assignment.phase, assignment.number, epoch)) if assignment.attempt == 1 else None

    lines, _ = watched(study, terminal=False, fault=fault)
    assert len(lines) == 1 + 3 + 4 + 1  # one per trial, and one for the retry
    assert all(re.match(r"\d\d:\d\d:\d\d (search|controls|confirm)/\d: ", line) for line in lines)
    assert all(re.search(r"  \[\d+/8, best (-|[\d.]+ %), [\d:?]+ left\]$", line) for line in lines)
    text = "\n".join(lines)
    assert re.search(r"search/0: FAIL \(cs_kd, T \d, λ_cls \d, λ_E 0\): train/loss is NaN", text)
    assert "search/1: attempt 1 ended, retrying: the worker process was lost" in text
    assert re.search(r"search/1: COMPLETE \d+\.\d\d % \(cs_kd", text)
    assert re.search(r"controls/0: COMPLETE [\d.]+ % \(cross_entropy\)", text)
    assert re.search(r"confirm/0: COMPLETE [\d.]+ % \(cs_kd, .*, seed 1\)", text)
    best = min(trial.value for trial in study.store.trials("search") if trial.value is not None)
    assert lines[-1].endswith(f"[8/8, best {100 * best:.2f} %, 0:00 left]")


def test_a_live_table_on_a_terminal(new_study) -> None:
    study = new_study(search__trials=2)
    lines, progress = watched(study, terminal=True)
    assert not any("left]" in line for line in lines if line[:2].isdigit())
    console = Console(file=io.StringIO(), width=120, record=True)
    console.print(progress._renderable())
    shown = console.export_text().splitlines()
    assert shown[0].split() == ["planned", "running", "done", "pruned", "failed"]
    assert [line.split() for line in shown[1:4]] == [
        ["controls", "1", "0", "1", "0", "0"],
        ["search", "2", "0", "2", "0", "0"],
        ["confirm", "4", "0", "4", "0", "0"],
    ]
    assert re.match(r"best \d+\.\d\d % \| [\d.]+ epochs/\w+ \| 0:00 left \| Ctrl\+C stops cleanly", shown[4])


def test_a_resumed_study_counts_finished_trials(new_study) -> None:
    study = new_study(search__trials=2)
    Executor(study, until="search").run()
    lines, _ = watched(study, terminal=False)
    assert [re.search(r"\[(\d+)/7", line).group(1) for line in lines] == ["4", "5", "6", "7"]


def test_hours_minutes_and_seconds() -> None:
    assert [units.clock(seconds) for seconds in (0, 59.6, 3599, 3600, 86_400)] == [
        "0:00",
        "1:00",
        "59:59",
        "1:00:00",
        "24:00:00",
    ]


class Clock:
    """A clock that tests advance."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def strftime(self, form: str) -> str:
        return "00:00:00"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(study_progress, "time", found)
    return found


def test_the_pace_excludes_the_start_of_the_workers(clock: Clock) -> None:
    pace = Pace()
    clock.now += 60  # workers start
    for _ in range(2):
        pace.epoch(running=2)
        assert pace.rate() is None  # both runs started together, so there is no interval yet
    assert str(pace) == "- epochs/s"
    for _ in range(4):
        clock.now += 10
        pace.epoch(running=2)
        pace.epoch(running=2)
        assert pace.rate() == pytest.approx(0.2)
    assert str(pace) == "12.0 epochs/min"
    clock.now += 1000  # the rate of a hanging study falls
    assert pace.rate() < 0.01


def test_the_pace_follows_the_latest_epochs(clock: Clock) -> None:
    pace = Pace()
    for seconds, count in ((10, 600), (1, 500)):
        for _ in range(count):
            clock.now += seconds
            pace.epoch(running=1)
    assert pace.rate() == pytest.approx(1.0)
    assert str(pace) == "1.0 epochs/s"


def test_the_time_left_is_exact_when_all_epochs_take_the_same_time(new_study, clock: Clock) -> None:
    study = new_study(search__trials=2, controls=[{"method": "cross_entropy", "training": {"epochs": 2}}])
    # 2 + 2 * 4 epochs, then a finalist of 4 and a control of 2 with two seeds: 22 epochs, one after another
    with Progress(study, phases_of(study), Console(file=io.StringIO())) as progress:
        assert progress._time_left() == "?"
        epochs = 0

        class Watch:
            def __getattr__(self, name: str):
                return getattr(progress, name)

            def epoch(self, assignment, epoch, metrics):
                nonlocal epochs
                clock.now += 60
                epochs += 1
                progress.epoch(assignment, epoch, metrics)

            def settled(self, assignment, *rest):
                nonlocal epochs
                clock.now += 60  # the last epoch of a run is reported with its outcome
                epochs += 1
                progress.settled(assignment, *rest)
                assert progress._time_left() == units.clock(60 * (22 - epochs))

        Executor(study, listener=Watch(), slots=1).run()
    assert epochs == 22


def test_trials_stopped_by_a_scheduler_shorten_the_estimate(new_study) -> None:
    study = new_study(search__scheduler={"name": "asha"}, search__sampler={"name": "tpe"}, training__epochs=8)
    Executor(study, lambda a, epoch: "stop" if epoch == 3 and a.phase == "search" else None, prunes=True).run()
    with Progress(study, phases_of(study), Console(file=io.StringIO())) as progress:
        assert progress._epochs_of("search") == 2.0
        progress._running[("search", 99)] = 1
        assert progress._epochs_of("search") == pytest.approx((8 * 2 + 8) / 9)
        assert progress._epochs_of("confirm") == 8.0


def test_without_finalists_no_confirmation_is_planned(new_study) -> None:
    study = new_study(search__trials=2)
    lines, progress = watched(study, terminal=False, fault=lambda a, _: "nan" if a.phase == "search" else None)
    assert progress._planned["confirm"] == 0
    assert lines[-1].endswith("[3/3, best -, 0:00 left]")


def test_hostile_errors_are_escaped_and_shortened(new_study) -> None:
    study = new_study(search__trials=1)
    text = io.StringIO()
    error = "\x1b[31m[red]<script>\n\0 at postgresql://me:secret@host/db " + 10_000 * "x"
    with Progress(study, phases_of(study), Console(file=text, width=80)) as progress:
        assignment = phases_of(study)[0].assignment(phases_of(study)[0].start_next())
        progress.started(assignment)
        progress.retried(assignment, error)
        progress.settled(assignment, "FAIL", None, error)
    shown = text.getvalue()
    assert len(shown.splitlines()) == 2
    assert not {c for c in shown if unicodedata.category(c) == "Cc"} - {"\n"}
    assert "\\x1b[31m[red]<script>\\n\\x00" in shown
    assert "secret" not in shown
    assert all(len(line) < 1100 for line in shown.splitlines())
