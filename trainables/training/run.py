"""Trains one run epoch by epoch, from its configuration to its outcome; resumable, independent of Ray."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import torch

from trainables.errors import CskdError
from trainables.files.faultpoints import faultpoint
from trainables.interfaces import registry
from trainables.runs import checkpoint, predictions
from trainables.runs.checkpoint import CheckpointWriter
from trainables.runs.run_directory import EpochRow, Outcome, RunDirectory
from trainables.training.device import choose_device
from trainables.training.trainer import Trainer, all_finite
from trainables.training.training_data import open_training_data, store_plain

if TYPE_CHECKING:
    from pathlib import Path

    from trainables.config import TrainConfig
    from trainables.interfaces import TestAccess
    from trainables.runs.predictions import Predictions
    from trainables.training.training_data import StoredSplit


class Run:
    """Trains a configuration in a directory; resumes from the newest valid checkpoint there.

    Durable writes happen in this order: predictions of the last epoch, the row of the epoch, a checkpoint if one is
    due, and finally the outcome. If the process is killed between two writes, the next attempt resumes from the
    checkpoint and replaces the rows after it. With a checkpoint per epoch, at most one epoch is trained twice, because
    an epoch's row is not written before the previous checkpoint is complete.

    Args:
        config: Configuration of the run.
        directory: Run directory, or the path of one.
        attempt: Number of the attempt, from 1; later attempts have higher numbers and supersede earlier ones.
        test_access: Access to the test set, which is evaluated after the last epoch; None: it is not evaluated.
        test_each_epoch: Whether to evaluate the test set after each epoch, for the best test error over the epochs.
        keep_checkpoint: Whether to keep the last checkpoint; otherwise a finished run deletes its checkpoints.

    Raises:
        DataError: The data is missing, damaged or unsuitable for class pairs.
        ConfigError: The device, the precision or the image size is not supported.
        CheckpointError: The checkpoint belongs to another configuration or split.
    """

    def __init__(
        self,
        config: TrainConfig,
        directory: Path | RunDirectory,
        *,
        attempt: int = 1,
        test_access: TestAccess | None = None,
        test_each_epoch: bool = False,
        keep_checkpoint: bool = False,
    ) -> None:
        torch.set_num_threads(config.training.threads)
        self._config = config
        self._attempt = attempt
        self._directory = directory if isinstance(directory, RunDirectory) else RunDirectory(directory)
        self._device = choose_device(config.training.device)
        self._data = open_training_data(config.dataset, config.train_on, self._device)
        config.model.check_images(self._data.train.store.height, self._data.train.store.width)
        self._trainer = Trainer(config, self._data, self._device)
        self._test_access = test_access
        self._test_each_epoch = test_each_epoch
        self._test: StoredSplit | None = None
        self._best_test = math.inf
        self._keep_checkpoint = keep_checkpoint
        self._writer = CheckpointWriter(self._directory.checkpoints, self._directory.publish_checkpoint)
        # A superseded worker may have left a checkpoint newer than the last valid row.
        self._rows = {row.epoch: row for row in self._directory.epochs()}
        state = checkpoint.load_newest(self._directory.checkpoints, at_most=len(self._rows))
        if state is not None:
            self._trainer.load_state_dict(state)
            self._best_test = state["best_test"]
        self._saved_epoch = self._trainer.epoch
        self._unsaved_seconds = 0.0
        self._between_epochs = True
        self._directory.begin_attempt(attempt, self._trainer.epoch)

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return self._trainer.epoch

    def advance(self) -> Outcome | EpochRow:
        """Trains and evaluates one epoch.

        Returns:
            Row of the epoch, or the outcome if the run has ended.

        Raises:
            DataError: The test set is missing or damaged.
            OSError: The disk is full, or the directory is not writable.
            SupersededError: A later attempt has started.
        """
        if self._trainer.epoch >= self._config.training.epochs:  # killed between the last epoch and the outcome
            return self._finish(self._rows[self._trainer.epoch].metrics)
        start = time.perf_counter()
        self._between_epochs = False
        values = self._trainer.run_epoch()
        last = self._trainer.epoch == self._config.training.epochs
        if not all_finite(values):
            return self._diverge(values)
        values |= self._measure(last=last)
        if not all_finite(values):
            return self._diverge(values)
        seconds = time.perf_counter() - start
        row = EpochRow(self._trainer.epoch, self._attempt, values, seconds, time.time())
        self._unsaved_seconds += seconds
        # Due if the next epoch would exceed the limit, so that at most checkpoint_seconds are trained twice.
        due = last or self._unsaved_seconds + seconds >= self._config.training.checkpoint_seconds
        if due:
            self._writer.wait()
        self._directory.append_epoch(row)
        faultpoint("run: epoch noted, no checkpoint")
        self._between_epochs = True
        if last:
            return self._finish(values)
        if due:
            self.save()
        return row

    def save(self) -> None:
        """Starts writing a checkpoint, unless the epoch has one, is incomplete, or a later attempt has started."""
        unsaved = self._between_epochs and self._trainer.epoch > self._saved_epoch
        if unsaved and not self._directory.is_superseded(self._attempt):
            self._writer.write(self._trainer.epoch, self._trainer.state_dict() | {"best_test": self._best_test})
            self._saved_epoch, self._unsaved_seconds = self._trainer.epoch, 0.0

    def close(self) -> None:
        """Stops the run before its last epoch: writes a checkpoint and waits until it is complete."""
        self.save()
        self._writer.wait()

    def abandon(self) -> None:
        """Stops a run that will not be resumed; the process keeps the network for the next run."""
        self._trainer.close()

    def _measure(self, *, last: bool) -> dict[str, float]:
        values: dict[str, float] = {}
        found: dict[Path, Predictions] = {}
        if self._data.validation is not None:  # a temperature is fitted to its predictions
            values, found[self._directory.validation_predictions] = self._trainer.evaluate(
                self._data.validation, "validation", final=last
            )
        if self._test_access is None or not (last or self._test_each_epoch):
            return values
        test = self._open_test(self._test_access)
        measured, found[self._directory.predictions] = self._trainer.evaluate(test, "test", final=last)
        if self._test_each_epoch:
            self._best_test = min(self._best_test, measured["test/top1_error"])
            measured["best_test/top1_error"] = self._best_test
        if last:
            for path, each in found.items():
                predictions.write(path, each, self._data.classes, self._data.groups)
        return values | measured

    def _open_test(self, access: TestAccess) -> StoredSplit:
        if self._test is None:
            images = self._config.dataset.test_images(access)
            self._test = store_plain(self._config.dataset, images, self._device)
        else:  # every evaluation on test data is recorded in the ledger
            access.record(self._config.dataset.part_name(), len(self._test.images.labels))
        return self._test

    def _finish(self, values: dict[str, float]) -> Outcome:
        if self._keep_checkpoint:
            self.close()
        self._writer.wait()
        outcome = Outcome("finished", self._attempt, self._trainer.epoch, values)
        faultpoint("run: finished, no outcome")
        self._directory.write_outcome(outcome)
        faultpoint("run: outcome written, checkpoints there")
        if not self._keep_checkpoint:
            self._directory.delete_checkpoints()
        self._trainer.close()
        return outcome

    def _diverge(self, values: dict[str, float]) -> Outcome:
        self._writer.wait()
        names = ", ".join(name for name, value in values.items() if not math.isfinite(value))
        error = f"{names} is not a finite number at epoch {self._trainer.epoch}"
        outcome = Outcome("diverged", self._attempt, self._trainer.epoch, {}, error, "diverged")
        self._directory.write_outcome(outcome)
        self._trainer.close()
        return outcome


def describe_error(error: BaseException) -> str:
    """Message of an error in one line.

    Errors of this project give their message; others their class, message and, if raised in a user-defined part, the
    file and line there.
    """
    text = str(error) if isinstance(error, CskdError) else f"{type(error).__name__}: {error}"
    if not isinstance(error, CskdError) and (place := registry.place_in_user_part(error)):
        text = f"{place}: {text}"
    return " ".join(text.split())
