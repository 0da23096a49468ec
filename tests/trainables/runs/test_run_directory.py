import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.errors import SupersededError
from trainables.files.durable import append_json_line
from trainables.runs import checkpoint_names
from trainables.runs.run_directory import EpochRow, Outcome, RunDirectory


def row(epoch: int, attempt: int) -> EpochRow:
    return EpochRow(epoch, attempt, {"train/loss": epoch + attempt / 10}, 0.5, 1000.0 + epoch)


def found(directory: RunDirectory) -> list[tuple[int, int]]:
    return [(row.epoch, row.attempt) for row in directory.epochs()]


def append_late(directory: RunDirectory, late: EpochRow) -> None:
    """Checks that a late writer is refused, then appends its line as if it had passed the check in time."""
    with pytest.raises(SupersededError, match=f"attempt {late.attempt} "):
        directory.append_epoch(late)
    append_json_line(directory.path / "metrics.jsonl", asdict(late))


def test_epochs_are_read_back_as_they_were_written(tmp_path):
    directory = RunDirectory(tmp_path / "trial")
    assert directory.epochs() == []
    directory.begin_attempt(1, 0)
    rows = [row(1, 1), row(2, 1)]
    for each in rows:
        directory.append_epoch(each)
    assert directory.epochs() == rows


def test_a_new_attempt_replaces_the_epochs_after_its_checkpoint(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.begin_attempt(1, 0)
    for epoch in (1, 2, 3):
        directory.append_epoch(row(epoch, 1))
    directory.begin_attempt(2, 1)
    assert found(directory) == [(1, 1)]
    directory.append_epoch(row(2, 2))
    append_late(directory, row(4, 1))  # the first attempt is still running
    directory.begin_attempt(1, 0)
    assert found(directory) == [(1, 1), (2, 2)]
    assert directory.epochs_trained() == 5
    assert directory.device_seconds() == 2.5


steps = st.lists(
    st.tuples(st.sampled_from(["begin", "epoch", "late", "late begin", "torn"]), st.integers(0, 99)), max_size=40
)


@given(steps)
def test_each_epoch_is_returned_once_from_the_newest_attempt(steps):
    """An attempt's epochs count, after those that earlier attempts had trained up to its checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(Path(folder))
        counting: list[list[tuple[int, int]]] = [[]]  # after each attempt: (epoch, attempt) that count
        late = 0
        directory.begin_attempt(1, 0)
        counting.append([])
        for step, choice in steps:
            newest = len(counting) - 1
            older = 1 + choice % newest
            if step == "begin":
                after = choice % (len(counting[-1]) + 1)
                directory.begin_attempt(newest + 1, after)
                counting.append(counting[-1][:after])
            elif step == "epoch":
                directory.append_epoch(row(len(counting[-1]) + 1, newest))
                counting[-1] = [*counting[-1], (len(counting[-1]) + 1, newest)]
            elif step == "late" and older < newest:
                append_late(directory, row(choice + 1, older))
                late += 1
            elif step == "late begin" and older < newest:
                directory.begin_attempt(older, 0)
            elif step == "torn":
                whole = json.dumps({"epoch": choice + 1, "attempt": newest, "metrics": {}})
                with (directory.path / "metrics.jsonl").open("a") as file:
                    file.write(whole[: 1 + choice % (len(whole) - 1)])
        assert found(directory) == counting[-1]
        assert [epoch for epoch, _ in found(directory)] == list(range(1, len(counting[-1]) + 1))
        trained = sum(step == "epoch" for step, _ in steps)
        assert directory.epochs_trained() == trained + late


@pytest.mark.fault(9)
def test_a_late_outcome_is_refused(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.begin_attempt(2, 0)
    with pytest.raises(SupersededError):
        directory.write_outcome(Outcome("finished", 1, 4, {}))
    assert directory.outcome() is None


def test_an_outcome_is_read_back(tmp_path):
    directory = RunDirectory(tmp_path)
    assert directory.outcome() is None
    for outcome in (
        Outcome("finished", 2, 4, {"validation/top1_error": 0.25}),
        Outcome("failed", 3, 0, error="no space left", error_kind="io"),
    ):
        directory.write_outcome(outcome)
        assert directory.outcome() == outcome


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"7", b'{"state": "finished"}', b'{"attempt": 1, "x": 2}', b"\xff"]
)
def test_a_damaged_outcome_is_none(tmp_path, content):
    (tmp_path / "outcome.json").write_bytes(content)
    assert RunDirectory(tmp_path).outcome() is None


@pytest.mark.fault(18)
def test_a_truncated_outcome_is_none(tmp_path):
    directory = RunDirectory(tmp_path)
    outcome = Outcome("finished", 1, 4, {"validation/top1_error": 0.25})
    directory.write_outcome(outcome)
    whole = (tmp_path / "outcome.json").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "outcome.json").write_bytes(whole[:length])
        assert directory.outcome() == (
            None if length < len(whole) - 2 else outcome
        )  # the last two bytes close the object


@pytest.mark.fault(19)
def test_damaged_files_are_named_and_later_epochs_do_not_count(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.begin_attempt(1, 0)
    for epoch in (1, 2, 3):
        directory.append_epoch(row(epoch, 1))
    directory.write_outcome(Outcome("finished", 1, 3, {}))
    assert directory.damaged() == []
    content = (tmp_path / "metrics.jsonl").read_text()
    (tmp_path / "metrics.jsonl").write_text(content.replace('"epoch":2', '"epoch":6'))
    (tmp_path / "outcome.json").write_text((tmp_path / "outcome.json").read_text().replace("finished", "diverged"))
    assert found(directory) == [(1, 1)]
    assert directory.outcome() is None
    assert directory.damaged() == ["metrics.jsonl", "outcome.json"]


def test_delete_checkpoints_also_removes_temporary_files(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.delete_checkpoints()
    directory.checkpoints.mkdir()
    for name in ("epoch_000001.pt", "epoch_000001.pt.sha256", ".epoch_000002.pt.77.tmp"):
        (directory.checkpoints / name).write_bytes(b"x")
    directory.delete_checkpoints()
    assert list(directory.checkpoints.iterdir()) == []


def test_settled_epochs_are_never_trained_again(tmp_path):
    directory = RunDirectory(tmp_path / "trial")
    directory.begin_attempt(1, 0)
    rows = [row(epoch, 1) for epoch in (1, 2, 3)]
    for each in rows:
        directory.append_epoch(each)
    assert directory.settled_epochs() == []  # a retry would start at the first epoch
    saved = checkpoint_names.path_of(directory.checkpoints, 2)
    saved.parent.mkdir()
    saved.write_bytes(b"")
    assert directory.settled_epochs() == []  # incomplete: no checksum
    checkpoint_names.checksum_of(saved).write_bytes(b"")
    assert directory.settled_epochs() == rows[:2]
    directory.write_outcome(Outcome("failed", 1, 3, error_kind="io"))  # may be retried
    assert directory.settled_epochs() == rows[:2]
    directory.write_outcome(Outcome("finished", 1, 3))
    directory.delete_checkpoints()
    assert directory.settled_epochs() == rows
