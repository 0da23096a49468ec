"""The trainable, called as Ray calls it, in this process and without a cluster."""

import contextlib
import errno
import math
from types import SimpleNamespace

import pytest
import torch

from tests.kit.inputs.training import BrokenLoss, Ledger, small_config
from trainables import tune
from trainables.errors import ConfigError, DataError, PreemptedError, SupersededError, UnfitNodeError
from trainables.files import scratch
from trainables.runs import checkpoint, checkpoint_names
from trainables.runs.run_directory import RunDirectory
from trainables.training.trainer import Trainer
from trainables.tune import StudyTrainable, kind_of


def assignment(directory, config=None, *, attempt=1, access=None):
    return SimpleNamespace(
        config=config or small_config(epochs=2),
        directory=directory,
        attempt=attempt,
        access=access,
        test_each_epoch=False,
        patience_seconds=600,
        objects=None,
    )


def begin(given) -> StudyTrainable:
    return StudyTrainable(config={"assignment": given})


def test_steps_report_the_run_until_it_is_done(tmp_path):
    trainable = begin(assignment(tmp_path))
    first, second = trainable.train(), trainable.train()
    assert (first["epoch"], first["done"]) == (1, False)
    assert (second["epoch"], second["done"]) == (2, True)
    rows = RunDirectory(tmp_path).epochs()
    assert [first["metrics"], second["metrics"]] == [row.metrics for row in rows]
    assert RunDirectory(tmp_path).outcome().state == "finished"
    trainable.stop()


@pytest.mark.fault(22)
@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None], ids=str)
def test_a_value_that_is_not_finite_ends_the_run_at_any_epoch(tmp_path, monkeypatch, value, epoch):
    original = Trainer.evaluate

    def evaluate(trainer, *arguments, **options):
        measured, found = original(trainer, *arguments, **options)
        return measured | ({"validation/nll": value} if trainer.epoch == epoch else {}), found

    monkeypatch.setattr(Trainer, "evaluate", evaluate)
    trainable = begin(assignment(tmp_path, small_config(epochs=3)))
    assert not any(trainable.train()["done"] for _ in range(epoch - 1))
    with pytest.raises(TypeError) if value is None else contextlib.nullcontext():
        assert trainable.train()["done"]
    outcome = RunDirectory(tmp_path).outcome()
    assert outcome.state == ("failed" if value is None else "diverged")
    assert outcome.error_kind in ("diverged", "TypeError")  # neither is retried
    assert outcome.metrics == {}
    assert len(RunDirectory(tmp_path).epochs()) == epoch - 1


@pytest.mark.fault(22)
def test_a_diverged_run_is_done_and_not_an_error(tmp_path):
    trainable = begin(assignment(tmp_path, small_config(f"{BrokenLoss.__module__}:BrokenLoss")))
    result = trainable.train()
    assert (result["done"], result["metrics"]) == (True, {})
    assert RunDirectory(tmp_path).outcome().state == "diverged"


def test_a_worker_abandons_a_run_for_the_next_one_and_saves_an_unfinished_one_when_it_ends(tmp_path):
    config = small_config(epochs=3, checkpoint_seconds=1e9)
    trainable = begin(assignment(tmp_path / "0", config))
    trainable.train()
    assert trainable.reset({"assignment": assignment(tmp_path / "1", config)})  # the scheduler stopped the first
    assert [trainable.train()["epoch"] for _ in range(2)] == [1, 2]
    trainable.stop()
    assert checkpoint.load_newest(tmp_path / "0" / "checkpoints") is None
    assert checkpoint.load_newest(tmp_path / "1" / "checkpoints")["epoch"] == 2


def test_a_worker_that_was_only_set_up_writes_nothing(tmp_path):
    """Ray may set up a worker for a trial that another worker then runs."""
    running = begin(assignment(tmp_path / "0"))
    running.train()
    before = (tmp_path / "0" / "metrics.jsonl").read_bytes()
    spare = begin(assignment(tmp_path / "0"))
    assert spare.reset({"assignment": assignment(tmp_path / "1")})
    spare.stop()
    assert (tmp_path / "0" / "metrics.jsonl").read_bytes() == before
    assert not (tmp_path / "1").exists()


def test_an_unfit_node_is_not_written_to(tmp_path):
    def refuse():
        raise UnfitNodeError("it has other code")

    given = {"assignment": assignment(tmp_path / "0"), "requirements": SimpleNamespace(check=refuse)}
    trainable = StudyTrainable(config=given)
    with pytest.raises(UnfitNodeError, match="it has other code"):
        trainable.train()
    trainable.stop()
    assert list(tmp_path.iterdir()) == []


def test_only_a_confirmation_run_keeps_its_checkpoint(tmp_path):
    for name, access, kept in (("search", None, 0), ("confirm", Ledger(tmp_path), 1)):
        trainable = begin(assignment(tmp_path / name, small_config(epochs=1), access=access))
        result = trainable.train()
        assert len(checkpoint_names.generations(tmp_path / name / "checkpoints")) == kept
        assert ("test/top1_error" in result["metrics"]) == bool(kept)


def test_a_run_that_an_earlier_attempt_finished_is_reused(tmp_path):
    first = begin(assignment(tmp_path))
    metrics = [first.train() for _ in range(2)][-1]["metrics"]
    lines = (tmp_path / "metrics.jsonl").read_bytes()
    result = begin(assignment(tmp_path, attempt=2)).train()
    assert (result["done"], result["metrics"]) == (True, metrics)
    assert (tmp_path / "metrics.jsonl").read_bytes() == lines  # nothing is trained again
    assert RunDirectory(tmp_path).outcome().attempt == 2


@pytest.mark.fault(9)
def test_a_superseded_worker_stops_and_writes_nothing_more(tmp_path):
    config = small_config(epochs=4, checkpoint_seconds=0)
    first = begin(assignment(tmp_path, config))
    first.train()
    second = begin(assignment(tmp_path, config, attempt=2))
    second.train()
    with pytest.raises(SupersededError):
        first.train()
    first.stop()
    rows = RunDirectory(tmp_path).epochs()  # one or two: the first checkpoint may not have been complete
    assert [row.epoch for row in rows] == list(range(1, len(rows) + 1))
    assert rows[-1].attempt == 2
    assert RunDirectory(tmp_path).outcome() is None


@pytest.mark.fault(6)
def test_a_run_whose_node_is_drained_is_saved_at_the_end_of_its_epoch(tmp_path, monkeypatch):
    config = small_config(epochs=4, checkpoint_seconds=1e9)
    trainable = begin(assignment(tmp_path, config))
    trainable.train()
    monkeypatch.setattr(tune, "node_is_drained", lambda: True)
    with pytest.raises(PreemptedError):
        trainable.train()
    trainable.stop()
    assert RunDirectory(tmp_path).outcome().error_kind == "preempted"
    assert checkpoint.load_newest(tmp_path / "checkpoints")["epoch"] == 2


def test_rays_own_checkpoints_are_empty(tmp_path):
    trainable = begin(assignment(tmp_path))
    assert trainable.save_checkpoint("") == {}
    trainable.load_checkpoint(None)
    assert trainable.train()["epoch"] == 1


def test_a_configuration_error_is_written_before_it_is_raised(tmp_path):
    with pytest.raises(ConfigError):
        begin(assignment(tmp_path, small_config(precision="float16"), attempt=3)).train()
    outcome = RunDirectory(tmp_path).outcome()
    assert (outcome.state, outcome.attempt, outcome.error_kind) == ("failed", 3, "ConfigError")
    assert outcome.error.startswith("training.precision is float16")


@pytest.mark.fault(17)
def test_an_error_of_a_step_is_written_before_it_is_raised(tmp_path):
    class FullDisk(Ledger):
        def record(self, dataset, images):
            raise OSError(errno.ENOSPC, "no space left on device")

    config = small_config(epochs=2, checkpoint_seconds=1e9)
    trainable = begin(assignment(tmp_path, config, access=FullDisk(tmp_path)))
    trainable.train()
    with pytest.raises(OSError, match="no space left"):
        trainable.train()
    outcome = RunDirectory(tmp_path).outcome()
    assert (outcome.state, outcome.error_kind) == ("failed", "disk_full")
    assert "no space left" in outcome.error
    trainable.stop()  # must not save the epoch that has no row
    retried = begin(assignment(tmp_path, config, attempt=2, access=Ledger(tmp_path)))
    assert [retried.train()["epoch"] for _ in range(2)] == [1, 2]
    assert RunDirectory(tmp_path).outcome().state == "finished"


@pytest.mark.fault(23)
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), "out_of_memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError(errno.EIO, "Input/output error"), "io"),
        (FileNotFoundError("gone"), "io"),
        (DataError("damaged"), "DataError"),
        (ValueError("x"), "ValueError"),
    ],
)
def test_the_kind_of_an_error_decides_a_retry(error, kind):
    assert kind_of(error) == kind


def test_a_run_with_an_object_store_resumes_on_another_machine(tmp_path, monkeypatch):
    """Its metrics are those of an uninterrupted run, bit for bit."""
    config = small_config(epochs=3, checkpoint_seconds=0)
    unbroken = begin(assignment(tmp_path / "unbroken", config))
    expected = [unbroken.step()["metrics"] for _ in range(3)]

    def worker(attempt: int) -> StudyTrainable:
        monkeypatch.setenv(scratch.VARIABLE, str(tmp_path / f"machine{attempt}"))
        scratch._process_folder.cache_clear()
        given = assignment(tmp_path / "of_the_driver", config, attempt=attempt)
        given.objects = (tmp_path / "bucket").as_uri()
        return begin(given)

    first = worker(1)
    assert [first.step()["metrics"] for _ in range(2)] == expected[:2]
    first._run._writer.wait()
    again = worker(2).step()  # the first worker is abandoned without cleanup, as after a kill
    assert (again["epoch"], again["done"]) == (3, True)
    assert again["metrics"] == expected[2]
    assert not (tmp_path / "of_the_driver").exists()
    assert not list((tmp_path / "machine2").glob("*/*/"))  # a finished run leaves no files on its machine
