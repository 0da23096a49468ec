"""One run from its configuration to its outcome, epoch by epoch, resumable; knows no Ray."""

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
    """Trains a configuration inside a directory, going on from the newest good checkpoint there.

    Order of durable writes: the predictions of the last epoch, an epoch's line, then (when it is time) the checkpoint,
    the outcome last. Killed between any two, the next attempt goes on from the checkpoint and replaces the lines after
    it. With a checkpoint at each epoch one epoch at most is trained twice, for an epoch's line waits until the
    checkpoint before it is whole.

    Args:
        config: The run.
        directory: Where its files are: a folder, or what keeps them elsewhere as well.
        attempt: 1 for the first; each later one is higher, so that late writes of an earlier one are ignored.
        test_access: Opens the test set at the last epoch; None leaves it closed.
        test_each_epoch: Also measure the test set at each epoch, for the optimistic best-on-test column.
        keep_checkpoint: Keep the last checkpoint; otherwise a finished run deletes its checkpoints.
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
        # No further than the log: a superseded worker may have left a checkpoint of epochs that do not count.
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
        """Finished epochs."""
        return self._trainer.epoch

    def advance(self) -> Outcome | EpochRow:
        """Trains and measures one epoch.

        Returns:
            The epoch's row while the run goes on, the outcome when it has ended.

        Raises:
            DataError: The test set is missing or damaged.
            OSError: The disk is full or the directory not writable.
        """
        if self._trainer.epoch >= self._config.training.epochs:  # killed after the last epoch, before the outcome
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
        # Due when the next epoch would go beyond the limit, so that no more than that is ever trained twice.
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
        """Starts writing a checkpoint unless this epoch has one, or an error or a later attempt cut it short."""
        wanted = self._between_epochs and self._trainer.epoch > self._saved_epoch
        if wanted and not self._directory.is_superseded(self._attempt):
            self._writer.write(self._trainer.epoch, self._trainer.state_dict() | {"best_test": self._best_test})
            self._saved_epoch, self._unsaved_seconds = self._trainer.epoch, 0.0

    def close(self) -> None:
        """Ends the run before its last epoch without losing one: writes a checkpoint and waits for it."""
        self.save()
        self._writer.wait()

    def leave(self) -> None:
        """Ends a run that nobody goes on with; its process may keep what the next one can use."""
        self._trainer.close()

    def _measure(self, *, last: bool) -> dict[str, float]:
        values: dict[str, float] = {}
        found: dict[Path, Predictions] = {}
        if self._data.validation is not None:  # a temperature is fitted on its predictions
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
        else:  # every measurement is a line of the ledger
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
    """An error as one line: our own message, or class and message of any other, with the place in a user's own part."""
    text = str(error) if isinstance(error, CskdError) else f"{type(error).__name__}: {error}"
    if not isinstance(error, CskdError) and (place := registry.place_in_own_part(error)):
        text = f"{place}: {text}"
    return " ".join(text.split())
