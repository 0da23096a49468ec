"""What a person sees of a running study."""

import io
import re

from fake import Executor
from rich.console import Console

from study.course import phases_of
from study.progress import Progress, _clock


def watched(study, *, terminal: bool, fault=None, **options) -> tuple[list[str], Progress]:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=200, color_system=None)
    with Progress(study, phases_of(study), console) as progress:
        executor = Executor(study, fault, listener=progress, **options) if fault else Executor(study, listener=progress)
        executor.run()
    return text.getvalue().splitlines(), progress


def test_plain_lines_where_there_is_no_terminal(new_study) -> None:
    study = new_study(search__trials=3)

    def fault(assignment, epoch):
        faults = {("search", 0, 2): "nan", ("search", 1, 3): "lost"}
        return faults.get((assignment.phase, assignment.number, epoch)) if assignment.attempt == 1 else None

    lines, _ = watched(study, terminal=False, fault=fault)
    assert len(lines) == 1 + 3 + 4 + 1  # one a trial, and one for the retry
    assert all(re.match(r"\d\d:\d\d:\d\d (search|controls|confirm) \d: ", line) for line in lines)
    assert all(re.search(r"  \[\d+/8, best (-|[\d.]+ %), [\d:?]+ left\]$", line) for line in lines)
    text = "\n".join(lines)
    assert re.search(r"search 0: FAIL \(cs_kd, T \d, λ_cls \d, λ_E 0\): train/loss is NaN", text)
    assert "search 1: attempt 1 ended, tried again: the worker process was lost" in text
    assert re.search(r"search 1: COMPLETE \d+\.\d\d % \(cs_kd", text)
    assert re.search(r"controls 0: COMPLETE [\d.]+ % \(cross_entropy\)", text)
    assert re.search(r"confirm 0: COMPLETE [\d.]+ % \(cs_kd, .*, seed 1\)", text)
    best = min(trial.value for trial in study.store.trials("search") if trial.value is not None)
    assert lines[-1].endswith(f"[8/8, best {100 * best:.2f} %, 0:00 left]")


def test_a_live_table_in_a_terminal(new_study) -> None:
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
    assert re.match(r"best \d+\.\d\d % \| [\d.]+ epochs/s \| 0:00 left \| Ctrl\+C stops cleanly", shown[4])


def test_a_resumed_study_counts_what_was_done(new_study) -> None:
    study = new_study(search__trials=2)
    Executor(study, until="search").run()
    lines, _ = watched(study, terminal=False)
    assert [re.search(r"\[(\d+)/7", line).group(1) for line in lines] == ["4", "5", "6", "7"]


def test_hours_minutes_and_seconds() -> None:
    assert [_clock(seconds) for seconds in (0, 59.6, 3599, 3600, 86_400)] == [
        "0:00",
        "1:00",
        "59:59",
        "1:00:00",
        "24:00:00",
    ]
