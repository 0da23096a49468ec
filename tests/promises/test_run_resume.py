"""A killed and resumed run equals an uninterrupted one bit for bit and repeats a bounded number of epochs."""

import itertools
import time

import pytest
import torch

from tests.kit.inputs.training import BrokenLoss, DropoutNet, small_config
from trainables.errors import CheckpointError
from trainables.runs import checkpoint, checkpoint_names, run_directory
from trainables.runs.run_directory import Outcome
from trainables.training import run
from trainables.training.run import Run

EPOCHS = 5
DROPOUT = f"{DropoutNet.__module__}:DropoutNet"
METHODS = {"cross_entropy": "cross_entropy", "cs_kd": "cs_kd", "cs_kd_e": {"name": "cs_kd", "lambda_e": 0.5}}


def advance(run: Run, epochs: int) -> list:
    """Runs some epochs and waits for the checkpoint; returns the reports."""
    reports = [run.advance() for _ in range(epochs)]
    run._writer.wait()
    return reports


def same(found, expected) -> None:
    """Asserts that nested containers are equal bit for bit."""
    if isinstance(expected, torch.Tensor):
        assert found.dtype is expected.dtype
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        same(list(found.values()), list(expected.values()))
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for pair in zip(found, expected, strict=True):
            same(*pair)
    else:
        assert found == expected


@pytest.mark.parametrize("checkpoint_seconds", [0, 1e9])
@pytest.mark.parametrize(("method", "model"), [*((method, None) for method in METHODS), ("cs_kd", DROPOUT)])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, method, model, checkpoint_seconds):
    config = small_config(METHODS[method], model=model, epochs=EPOCHS, checkpoint_seconds=checkpoint_seconds)
    unbroken = Run(config, tmp_path / "unbroken")
    advance(unbroken, EPOCHS)
    advance(Run(config, tmp_path / "broken"), 3)  # not closed, as after a kill
    resumed = Run(config, tmp_path / "broken", attempt=2)
    saved = 0 if checkpoint_seconds else 3
    assert resumed.epoch == saved
    outcome = advance(resumed, EPOCHS - saved)[-1]
    same(resumed._trainer.state_dict(), unbroken._trainer.state_dict())
    expected, found = (each._directory.epochs() for each in (unbroken, resumed))
    assert [row.metrics for row in found] == [row.metrics for row in expected]
    assert [(row.epoch, row.attempt) for row in found] == [(e, 1 if e <= saved else 2) for e in range(1, EPOCHS + 1)]
    assert outcome == Outcome("finished", 2, EPOCHS, expected[-1].metrics)


def test_a_closed_run_resumes_after_its_last_epoch(tmp_path):
    config = small_config(checkpoint_seconds=1e9)
    stopped = Run(config, tmp_path)
    advance(stopped, 2)
    stopped.close()
    assert Run(config, tmp_path, attempt=2).epoch == 2


def test_the_clock_counts_training_time_since_the_last_checkpoint(tmp_path, monkeypatch):
    ticks = itertools.count(0, 25)
    monkeypatch.setattr(run.time, "perf_counter", lambda: next(ticks))
    clocked = Run(small_config(epochs=8, checkpoint_seconds=60), tmp_path)
    saved = []
    for _ in range(7):
        advance(clocked, 1)
        clocked._writer.wait()
        saved.append([int(path.stem[-6:]) for path in checkpoint_names.generations(tmp_path / "checkpoints")])
    # Epochs of 25 s: a third one without a checkpoint would exceed the 60 s that may be repeated.
    assert saved == [[], [2], [2], [4, 2], [4, 2], [6, 4], [6, 4]]


@pytest.mark.fault(18, 19)
def test_a_damaged_checkpoint_costs_one_more_epoch(tmp_path):
    config = small_config()
    advance(Run(config, tmp_path), 3)
    newest = checkpoint_names.generations(tmp_path / "checkpoints")[0]
    newest.write_bytes(newest.read_bytes()[:-1])
    resumed = Run(config, tmp_path, attempt=2)
    assert resumed.epoch == 2
    advance(resumed, 2)
    assert [row.attempt for row in resumed._directory.epochs()] == [1, 1, 2, 2]


def test_the_checkpoint_of_another_configuration_is_refused_before_an_attempt_begins(tmp_path):
    advance(Run(small_config(), tmp_path), 2)
    written = (tmp_path / "metrics.jsonl").read_bytes()
    with pytest.raises(CheckpointError, match="config_digest"):
        Run(small_config(lr=0.01), tmp_path, attempt=2)
    assert (tmp_path / "metrics.jsonl").read_bytes() == written


def test_a_run_killed_before_its_outcome_finishes_without_training(tmp_path):
    config = small_config()
    unbroken = Run(config, tmp_path, keep_checkpoint=True)
    expected = advance(unbroken, 4)[-1]
    (tmp_path / "outcome.json").unlink()
    resumed = Run(config, tmp_path, attempt=2, keep_checkpoint=True)
    assert resumed.advance() == Outcome("finished", 2, 4, expected.metrics)
    assert resumed._directory.epochs_trained() == 4


@pytest.mark.parametrize("broken", ["step", "metrics.jsonl"])
def test_closing_after_an_error_saves_no_unrecorded_epoch(tmp_path, broken, monkeypatch):
    config = small_config(checkpoint_seconds=1e9)
    unbroken = advance(Run(config, tmp_path / "unbroken"), 4)[-1]
    stopped = Run(config, tmp_path / "broken")
    advance(stopped, 2)
    if broken == "step":  # the weights are from the middle of an epoch
        workbench, steps = stopped._trainer._workbench, itertools.count()

        def interrupted(batch):
            if next(steps) == 2:
                raise KeyboardInterrupt
            workbench.step(batch)

        monkeypatch.setattr(workbench, "train", interrupted)
    else:
        metrics = tmp_path / "broken" / "metrics.jsonl"
        metrics.rename(tmp_path / "elsewhere")
        metrics.mkdir()
    with pytest.raises((KeyboardInterrupt, OSError)):
        stopped.advance()
    stopped.close()
    if broken != "step":
        metrics.rmdir()
        (tmp_path / "elsewhere").rename(metrics)
    resumed = Run(config, tmp_path / "broken", attempt=2)
    outcome = advance(resumed, 4 - resumed.epoch)[-1]
    assert outcome.metrics == unbroken.metrics
    assert [row.epoch for row in resumed._directory.epochs()] == [1, 2, 3, 4]


def test_a_diverged_run_saves_no_checkpoint(tmp_path):
    diverged = Run(small_config(f"{BrokenLoss.__module__}:BrokenLoss"), tmp_path)
    assert diverged.advance().state == "diverged"
    diverged.close()
    assert checkpoint.load_newest(tmp_path / "checkpoints") is None


def test_training_waits_for_a_slow_disk_only_before_the_next_line(tmp_path, monkeypatch):
    written = []

    def slow(path, content):
        time.sleep(0.2)
        written.append(path.name)

    monkeypatch.setattr(checkpoint, "write_atomic", slow)
    monkeypatch.setattr(run_directory, "append_json_line", lambda _, line: written.append(line.get("epoch")))
    slowed = Run(small_config(), tmp_path)
    slowed.advance()
    assert written == [None, 1]  # the epoch's report did not wait for its checkpoint
    slowed.advance()
    assert written == [None, 1, "epoch_000001.pt", "epoch_000001.pt.sha256", 2]  # the next line did
    slowed._writer.wait()
