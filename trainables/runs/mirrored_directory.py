"""A run whose files lie in a scratch folder of its worker's machine, and all that is durable in an object store."""

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

GENERATIONS = 2  # that stay in the store


class MirroredRunDirectory(RunDirectory):
    """Writes each durable thing into the store before it counts as written.

    The order is that of ``trainables.training.run.Run``: a checkpoint before the line of the next epoch, predictions
    before the last line, the outcome last. So a worker that is killed, with all its disk, costs what it costs where
    driver and workers share a folder.

    Args:
        path: The scratch folder; nobody else's, and empty.
        objects: Of the run, in the store.
        attempt: In whose name things are written.
    """

    def __init__(self, path: Path, objects: RunObjects, attempt: int) -> None:
        super().__init__(path)
        self._objects = objects
        self._attempt = attempt
        self._generations: list[Saved] = []
        self._useless: list[Saved] = []
        self._passed_over: list[str] = []

    def hang_report(self, attempt: int) -> Path:
        """On this machine, and outside the scratch folder, which is removed after its process."""
        run = "-".join(urlsplit(self._objects.store.uri).path.split("/")[-3:])
        return self.path.parent.with_name(f"cskd-hang-{run}-{attempt}.txt")

    def restore(self) -> None:
        """Brings the log, the outcome and the newest whole checkpoint of the attempts before.

        Raises:
            ObjectStoreError: The store does not answer.
            OSError: There is no room here.
        """
        names = self._objects.store.names()
        self.take_in(self._objects.lines(names), 0)
        outcome = self._objects.outcome(names)
        if outcome is not None:
            self.take_outcome(outcome)
        saved = run_objects.checkpoints(names)
        usable = run_objects.usable(saved, self.epochs())
        while usable and not self._objects.fetch_checkpoint(usable[0], self.checkpoints):
            self._passed_over.append(str(usable.pop(0)))
        self._generations = usable[::-1]
        self._useless = [each for each in saved if each not in usable]

    def discard(self) -> None:
        """Removes the scratch folder; what counts is in the store."""
        shutil.rmtree(self.path, ignore_errors=True)

    def is_superseded(self, attempt: int) -> bool:
        """Whether a later attempt has begun, wherever."""
        return self._objects.is_followed(attempt)

    def publish_checkpoint(self, path: Path) -> None:
        """Uploads a checkpoint, its checksum last, then removes those that it makes superfluous."""
        self._objects.upload(self._attempt, path)
        faultpoint("objects: checkpoint uploaded, without its checksum")
        self._objects.upload(self._attempt, checksum_of(path))
        self._generations.append(Saved(self._attempt, int(path.stem.removeprefix("epoch_"))))
        if self._objects.is_followed(self._attempt):
            return  # a later attempt went on from what is there, and removes what it makes superfluous
        superfluous = self._useless + self._generations[:-GENERATIONS]
        self._generations, self._useless = self._generations[-GENERATIONS:], []
        for saved in superfluous:
            self._objects.delete_checkpoint(saved)

    def write_outcome(self, outcome: Outcome) -> None:
        """Writes how the run ended, into the store last."""
        super().write_outcome(outcome)
        self._objects.write_outcome(asdict(outcome))

    def delete_checkpoints(self) -> None:
        """Removes the checkpoints, in the store as well."""
        super().delete_checkpoints()
        for saved in [*self._useless, *self._generations]:
            self._objects.delete_checkpoint(saved)
        self._useless, self._generations = [], []

    def begin_attempt(self, attempt: int, after_epoch: int) -> None:
        """Notes that an attempt goes on, and which damaged checkpoints it passed over, for the driver to tell."""
        record = {"attempt": attempt, "after_epoch": after_epoch}
        self._append(record | ({PASSED_OVER: self._passed_over} if self._passed_over else {}))

    def _append(self, record: dict[str, Any]) -> None:
        if "epoch" in record:
            for path in self.all_predictions:
                if path.exists():  # written just before the line of the last epoch
                    self._objects.upload(self._attempt, path)
        super()._append(record)
        self._objects.write_line(record)
        faultpoint("objects: line uploaded")
