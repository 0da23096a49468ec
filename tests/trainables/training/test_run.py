import numpy as np
import pytest

from analysis.records.predictions import read
from tests.kit.inputs.own_part import error_of_own_part
from tests.kit.inputs.training import DIGITS, BrokenLoss, Ledger, small_config
from trainables.config import part_from
from trainables.errors import DataError, TestSetClosedError
from trainables.metrics import classification
from trainables.runs import checkpoint, predictions, run_directory
from trainables.runs.run_directory import Outcome, RunDirectory
from trainables.training.run import Run, describe_error

BROKEN = f"{BrokenLoss.__module__}:BrokenLoss"
VALIDATION = {f"validation/{name}" for name in ("top1_error", "top5_error", "ece", "nll")}
TRAIN = {"train/loss", "train/ce", "train/cls", "train/top1_error"}


def finish(run: Run) -> Outcome:
    while not isinstance(reported := run.advance(), Outcome):
        pass
    return reported


def files(directory) -> set[str]:
    return {path.name for path in directory.rglob("*") if path.is_file()}


def test_a_search_run_reports_each_epoch_and_deletes_its_checkpoints(tmp_path):
    run = Run(small_config(), tmp_path)
    reports = [run.advance() for _ in range(4)]
    assert [report.epoch for report in reports] == [1, 2, 3, 4]
    assert all(report.metrics.keys() == VALIDATION | TRAIN for report in reports[:3])
    outcome = reports[3]
    assert outcome == Outcome("finished", 1, 4, outcome.metrics) == RunDirectory(tmp_path).outcome()
    assert outcome.metrics.keys() == VALIDATION | TRAIN | {"validation/recall_at_1"}
    rows = RunDirectory(tmp_path).epochs()
    assert rows[:3] == reports[:3]
    assert rows[3].metrics == outcome.metrics
    assert all(row.epoch_seconds > 0 for row in rows)
    assert files(tmp_path) == {"metrics.jsonl", "outcome.json"}


def test_a_kept_checkpoint_holds_the_trained_network(tmp_path):
    run = Run(small_config(epochs=2, checkpoint_seconds=1e9), tmp_path, keep_checkpoint=True)
    finish(run)
    state = checkpoint.load_newest(tmp_path / "checkpoints")
    assert state["epoch"] == 2
    assert state["classes"] == list("0123")
    model = run._trainer.model.state_dict()
    assert all(np.array_equal(state["model"][name], model[name]) for name in model)


def test_the_order_of_durable_writes(tmp_path, monkeypatch):
    written = []

    def spy(module, name):
        real = getattr(module, name)

        def spied(path, content, *rest):
            real(path, content, *rest)
            written.append(f"line {content.get('epoch', 'begin')}" if isinstance(content, dict) else path.name)

        monkeypatch.setattr(module, name, spied)

    for module, name in (
        (run_directory, "append_json_line"),
        (run_directory, "write_atomic"),
        (checkpoint, "write_atomic"),
        (predictions, "write"),
    ):
        spy(module, name)
    finish(Run(small_config(epochs=3), tmp_path, test_access=Ledger(tmp_path), keep_checkpoint=True))
    in_order = [name for name in written if "predictions" not in name]
    saved = [[f"epoch_00000{epoch}.pt", f"epoch_00000{epoch}.pt.sha256"] for epoch in (1, 2, 3)]
    lines = [[f"line {epoch}"] for epoch in (1, 2, 3)]
    epochs = [name for pair in zip(lines, saved, strict=True) for part in pair for name in part]
    assert in_order == ["line begin", *epochs, "outcome.json"]
    assert written.index("line 2") < written.index("predictions.parquet") < written.index("line 3")


@pytest.mark.parametrize(
    ("method", "training"),
    [("cs_kd", {"lr": 1e6}), (BROKEN, {}), ({"name": BROKEN, "gradient_only": True}, {"batch_size": 64, "epochs": 1})],
    ids=["rate", "loss", "weights"],
)
def test_a_diverged_run_ends_with_that_outcome(tmp_path, method, training):
    outcome = finish(Run(small_config(method, **training), tmp_path, test_access=(ledger := Ledger(tmp_path))))
    assert (outcome.state, outcome.attempt, outcome.error_kind, outcome.metrics) == ("diverged", 1, "diverged", {})
    assert f"is not a finite number at epoch {outcome.epoch}" in outcome.error
    assert RunDirectory(tmp_path).outcome() == outcome
    assert len(RunDirectory(tmp_path).epochs()) == outcome.epoch - 1
    if outcome.epoch < training.get("epochs", 4):
        assert ledger.readings == []


def test_the_test_set_is_read_once_after_the_last_epoch_and_after_the_ledger_entry(tmp_path):
    ledger = Ledger(tmp_path)
    run = Run(small_config(), tmp_path, test_access=ledger)
    for _ in range(3):
        assert not any(name.startswith("test/") for name in run.advance().metrics)
    assert ledger.readings == []
    outcome = run.advance()
    ((name, images, written),) = ledger.readings
    found = read(tmp_path / "validation_predictions.parquet")
    assert classification.evaluate(found.logits, found.labels)["nll"] == outcome.metrics["validation/nll"]
    test = part_from("datasets", DIGITS).test_images(Ledger(tmp_path))
    assert (name, images) == ("digits", len(test.labels))
    assert not {"predictions.parquet", "outcome.json"} & set(written)
    found = read(tmp_path / "predictions.parquet")
    assert np.array_equal(found.labels, test.labels)
    recomputed = classification.evaluate(found.logits, found.labels)
    recomputed["recall_at_1"] = classification.recall_at_1(found.features, found.labels)
    reported = {name: value for name, value in outcome.metrics.items() if name.startswith("test/")}
    assert reported == {f"test/{name}": value for name, value in recomputed.items()}
    assert "best_test/top1_error" not in outcome.metrics


def test_without_access_the_test_set_stays_closed(tmp_path):
    outcome = finish(Run(small_config(), tmp_path, test_each_epoch=True))
    assert not any(name.startswith(("test/", "best_test/")) for name in outcome.metrics)
    assert not (tmp_path / "predictions.parquet").exists()


def test_an_access_that_cannot_record_does_not_open_the_test_set(tmp_path):
    run = Run(small_config(epochs=1), tmp_path, test_access=object())
    with pytest.raises(TestSetClosedError, match="records it"):
        run.advance()
    assert RunDirectory(tmp_path).epochs() == []
    assert not (tmp_path / "predictions.parquet").exists()


def test_a_ledger_that_cannot_be_written_keeps_the_test_set_closed(tmp_path):
    class FullDisk(Ledger):
        def record(self, dataset, images):
            raise OSError("no space left on device")

    run = Run(small_config(epochs=1), tmp_path, test_access=FullDisk(tmp_path))
    with pytest.raises(OSError, match="no space left"):
        run.advance()
    assert files(tmp_path) == {"metrics.jsonl"}
    assert RunDirectory(tmp_path).epochs() == []


def test_a_run_on_everything_has_no_validation_metrics(tmp_path):
    outcome = finish(Run(small_config(train_on="full", epochs=2), tmp_path, test_access=Ledger(tmp_path)))
    assert {name.partition("/")[0] for name in outcome.metrics} == {"train", "test"}


@pytest.mark.parametrize("checkpoint_seconds", [0, 1e9])
def test_the_best_test_error_is_the_minimum_over_all_epochs_also_after_a_resume(tmp_path, checkpoint_seconds):
    config = small_config(epochs=6, lr=0.3, checkpoint_seconds=checkpoint_seconds)
    first, second = Ledger(tmp_path), Ledger(tmp_path)
    killed = Run(config, tmp_path, test_access=first, test_each_epoch=True)
    for _ in range(3):
        killed.advance()
    killed._writer.wait()
    finish(Run(config, tmp_path, attempt=2, test_access=second, test_each_epoch=True))
    rows = [row.metrics for row in RunDirectory(tmp_path).epochs()]
    errors = [row["test/top1_error"] for row in rows]
    assert len(errors) == 6
    assert [row["best_test/top1_error"] for row in rows] == [min(errors[: n + 1]) for n in range(6)]
    assert errors != sorted(errors, reverse=True)  # the minimum is not always the last value
    # Every evaluation has a ledger entry, including those of epochs that were trained twice.
    assert (len(first.readings), len(second.readings)) == (3, 3 if checkpoint_seconds == 0 else 6)
    assert "test/recall_at_1" in rows[-1]
    assert "test/recall_at_1" not in rows[-2]


def test_an_error_is_described_in_one_line():
    assert describe_error(DataError("images.bin is\n damaged")) == "images.bin is damaged"
    assert describe_error(ValueError("two\nlines")) == "ValueError: two lines"


def test_an_error_of_a_user_defined_part_has_file_and_line(tmp_path, monkeypatch):
    own = error_of_own_part(tmp_path, monkeypatch, "own_method_of_run_test")
    assert describe_error(own) == f"{tmp_path}/own_method_of_run_test.py:4: KeyError: 'typo'"
