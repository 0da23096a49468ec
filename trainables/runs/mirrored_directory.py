"""Run directory in a worker's scratch folder, mirrored to an object store."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from trainables.files.faultpoints import faultpoint
from trainables.runs import run_objects
from trainables.runs.checkpoint_names import checksum_of
from trainables.runs.run_directory import Outcome, RunDirectory
from trainables.runs.run_objects import PASSED_OVER, Saved

if TYPE_CHECKING:
    from pathlib import Path

    from trainables.runs.run_objects import RunObjects

GENERATIONS = 2  # checkpoints kept in the store


class MirroredRunDirectory(RunDirectory):
    """Run directory that uploads each record and checkpoint to the store before it counts as written.

    The order is that of ``trainables.training.run.Run``: a checkpoint before the line of the next epoch, predictions
    before the last line, the outcome last. The loss of a worker and its disk therefore costs no more epochs than a
    killed worker in a shared folder.

    Args:
        path: Scratch folder; empty and used by this process only.
        objects: Objects of the run in the store.
        attempt: Number of the attempt that writes.
    """

    def __init__(self, path: Path, objects: RunObjects, attempt: int) -> None:
        super().__init__(path)
        self._objects = objects
        self._attempt = attempt
        self._generations: list[Saved] = []
        self._obsolete: list[Saved] = []
        self._passed_over: list[str] = []

    def hang_report(self, attempt: int) -> Path:
        """Returns the path of the hang report, outside the scratch folder, which is removed with its process."""
        run = "-".join(urlsplit(self._objects.store.uri).path.split("/")[-3:])
        return self.path.parent.with_name(f"cskd-hang-{run}-{attempt}.txt")

    def restore(self) -> None:
        """Downloads the log, the outcome and the newest intact checkpoint of earlier attempts.

        Raises:
            ObjectStoreError: The store does not answer.
            OSError: The local disk is full.
        """
        names = self._objects.store.names()
        self.merge_log(self._objects.lines(names), 0)
        outcome = self._objects.outcome(names)
        if outcome is not None:
            self.copy_outcome(outcome)
        saved = run_objects.checkpoints(names)
        usable = run_objects.usable(saved, self.epochs())
        while usable and not self._objects.fetch_checkpoint(usable[0], self.checkpoints):
            self._passed_over.append(str(usable.pop(0)))
        self._generations = usable[::-1]
        self._obsolete = [each for each in saved if each not in usable]

    def discard(self) -> None:
        """Removes the scratch folder; the store has everything that is needed."""
        shutil.rmtree(self.path, ignore_errors=True)

    def is_superseded(self, attempt: int) -> bool:
        """Returns whether a later attempt has begun on any machine."""
        return self._objects.is_superseded(attempt)

    def publish_checkpoint(self, path: Path) -> None:
        """Uploads a checkpoint, its checksum last, then removes the obsolete ones."""
        self._objects.upload(self._attempt, path)
        faultpoint("objects: checkpoint uploaded, without its checksum")
        self._objects.upload(self._attempt, checksum_of(path))
        self._generations.append(Saved(self._attempt, int(path.stem.removeprefix("epoch_"))))
        if self._objects.is_superseded(self._attempt):
            return  # the later attempt may have resumed from any of them, and removes the obsolete ones itself
        obsolete = self._obsolete + self._generations[:-GENERATIONS]
        self._generations, self._obsolete = self._generations[-GENERATIONS:], []
        for saved in obsolete:
            self._objects.delete_checkpoint(saved)

    def write_outcome(self, outcome: Outcome) -> None:
        """Writes the outcome of the run, first locally, then to the store."""
        super().write_outcome(outcome)
        self._objects.write_outcome(asdict(outcome))

    def delete_checkpoints(self) -> None:
        """Removes the checkpoints locally and in the store."""
        super().delete_checkpoints()
        for saved in [*self._obsolete, *self._generations]:
            self._objects.delete_checkpoint(saved)
        self._obsolete, self._generations = [], []

    def begin_attempt(self, attempt: int, after_epoch: int) -> None:
        """Records the start of an attempt and the damaged checkpoints that it skipped, which the driver reports."""
        record = {"attempt": attempt, "after_epoch": after_epoch}
        self._append(record | ({PASSED_OVER: self._passed_over} if self._passed_over else {}))

    def _append(self, record: dict[str, Any]) -> None:
        if "epoch" in record:
            for path in self.all_predictions:
                if path.exists():  # training writes them just before the line of the last epoch
                    self._objects.upload(self._attempt, path)
        super()._append(record)
        self._objects.write_line(record)
        faultpoint("objects: line uploaded")
