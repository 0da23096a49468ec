"""Toy run without training: values depend on configuration, seed and epoch; faults are injected by name."""

import json
import math
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np

from trainables.files.durable import digest_of, sha256_of, write_atomic
from trainables.runs import predictions
from trainables.runs.checkpoint_names import checksum_of, newest_epoch, path_of
from trainables.runs.run_directory import EpochRow, Outcome, RunDirectory
from trainables.tune import StudyTrainable

PREDICTIONS = predictions.Predictions(
    np.eye(4, 2, dtype=np.float32), np.eye(4, 3, dtype=np.float32), np.zeros(4, dtype=np.int64)
)
SAVE_EVERY = int(os.environ.get("TOY_SAVE_EVERY", "1"))


def value(config, epoch: int) -> float:
    """Returns an error in (0, 1) that decreases with the epoch and is lowest at T = 4 and lambda_cls = 1."""
    method = config.method
    noise = int(digest_of([config.digest(), epoch]), 16) / 16**16
    if method.part_name() != "cs_kd":
        return 0.6 + 0.05 * noise
    distance = abs(math.log(method.temperature / 4)) + abs(math.log(max(method.lambda_cls, 1e-3)))
    return min(0.99, 0.1 + 0.1 * distance + 0.02 * noise + 0.3 / epoch)


class ToyRun:
    """Imitates ``trainables.training.run.Run`` and saves a checkpoint every ``SAVE_EVERY`` epochs."""

    def __init__(self, assignment, files: RunDirectory | None = None) -> None:
        self.assignment = assignment
        self.directory = files or RunDirectory(assignment.directory)
        self.epoch = newest_epoch(self.directory.checkpoints, at_most=len(self.directory.epochs()))
        self.directory.begin_attempt(assignment.attempt, self.epoch)
        faults = json.loads(os.environ.get("TOY_FAULTS", "{}"))
        self.fault = faults.get(f"{assignment.phase}/{assignment.number}", {})

    def advance(self):
        config = self.assignment.config
        if self.epoch < config.training.epochs:
            time.sleep(float(os.environ.get("TOY_SECONDS", "0")))
            self.epoch += 1
            self._misbehave()
            metrics = self._metrics()
            if not math.isfinite(metrics["train/loss"]):
                outcome = Outcome("diverged", self.assignment.attempt, self.epoch, {}, "train/loss is NaN", "diverged")
                self.directory.write_outcome(outcome)
                return outcome
            row = EpochRow(self.epoch, self.assignment.attempt, metrics, 0.01, time.time())
            self.directory.append_epoch(row)
            if self.epoch % SAVE_EVERY == 0:
                self._save()
            if self.epoch < config.training.epochs:
                return row
        last = self.directory.epochs()[-1].metrics
        outcome = Outcome("finished", self.assignment.attempt, self.epoch, last)
        self.directory.write_outcome(outcome)
        return outcome

    def close(self) -> None:
        self._save()

    def abandon(self) -> None:
        pass

    def _save(self) -> None:
        path = path_of(self.directory.checkpoints, self.epoch)
        write_atomic(path, b"toy")
        write_atomic(checksum_of(path), sha256_of(b"toy").encode())
        self.directory.publish_checkpoint(path)

    def _metrics(self) -> dict[str, float]:
        config, access = self.assignment.config, self.assignment.access
        error = value(config, self.epoch)
        if self.fault.get("nan") == self.epoch:
            return {"train/loss": math.nan}
        metrics = {"train/loss": 2 * error}
        if config.train_on == "train":
            metrics |= {"validation/top1_error": error, "validation/nll": 3 * error}
        last = self.epoch == config.training.epochs
        if access is not None and (last or self.assignment.test_each_epoch):
            access.record("toy", 100)
            metrics |= {"test/top1_error": error, "test/nll": 3 * error}
        if access is not None and last:
            predictions.write(self.directory.predictions, PREDICTIONS, ("a", "b"))
        return metrics

    def _misbehave(self) -> None:
        if "TOY_BAD_NODE" in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault.get("die") == self.epoch and self.assignment.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault.get("hang") == self.epoch and self.assignment.attempt == 1:
            child = subprocess.Popen(["sleep", "3600"])
            (self.directory.path / "child.pid").write_text(str(child.pid))
            time.sleep(3600)
        if self.fault.get("oom") == self.epoch and self.assignment.attempt == 1:
            raise MemoryError("out of memory")
        if self.fault.get("raise") == self.epoch:
            raise RuntimeError("the toy was told to raise")


class ToyTrainable(StudyTrainable):
    def open_run(self, assignment, files):
        return ToyRun(assignment, files)


def main() -> None:
    """Runs ``cskd`` with the toy instead of training, and without figures, whose drawing takes seconds."""
    import functools

    from analysis.report import figures
    from study import api, cli

    figures.available = dict

    api.launch = functools.partial(api.launch, trainable=ToyTrainable)
    api.resume = functools.partial(api.resume, trainable=ToyTrainable)
    cli.main()


if __name__ == "__main__":
    # Workers import the class by module name, which must not be __main__.
    from tests.kit.fakes import toy

    toy.main()


STUDY = """
name: toy
dataset: {name: digits, validation: {per_class: 8}}
model: {name: preact_resnet10, width: 8, input_size: 8}
method: cs_kd
training: {epochs: 4, checkpoint_seconds: 0}
search:
  space: {temperature: {choices: [1, 4]}, lambda_cls: {choices: [1, 2, 3, 4]}}
  sampler: {name: random}
  trials: 8
controls: [{method: cross_entropy}]
confirm: {finalists: 1, seeds: [1, 2]}
tracking: {enabled: false}
"""


def write_study(folder: Path) -> Path:
    path = folder / "toy.yaml"
    path.write_text(STUDY)
    return path
