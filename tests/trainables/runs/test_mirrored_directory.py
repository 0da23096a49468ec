"""Runs whose worker shares no folder with the driver: losing the machine costs no more than a kill."""

from pathlib import Path

import pytest

from trainables.errors import SupersededError
from trainables.files import scratch
from trainables.files.durable import sha256_of, write_atomic
from trainables.files.object_store import ObjectStore
from trainables.runs import run_objects
from trainables.runs.checkpoint_names import checksum_of, path_of
from trainables.runs.mirrored_directory import MirroredRunDirectory
from trainables.runs.run_directory import EpochRow, Outcome, RunDirectory
from trainables.runs.run_objects import RunObjects, Saved

METRICS = {"train/loss": 0.5}


class Cluster:
    """Object store with workers on machines that can be lost."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = ObjectStore((folder / "store").as_uri(), patience_seconds=0)
        self.machines = 0

    def worker(self, attempt: int, *, after: int | None = None) -> MirroredRunDirectory:
        """Starts a worker on a new machine: restores the files and, given ``after``, begins the attempt."""
        self.machines += 1
        files = MirroredRunDirectory(self.folder / f"machine{self.machines}", RunObjects(self.store), attempt)
        files.restore()
        if after is not None:
            assert len(files.settled_epochs()) >= after
            files.begin_attempt(attempt, after)
        return files

    def saved(self) -> list[Saved]:
        return run_objects.checkpoints(self.store.names())


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def train(files: RunDirectory, attempt: int, *epochs: int, save: bool = True) -> None:
    for epoch in epochs:
        files.append_epoch(EpochRow(epoch, attempt, METRICS, 1.0, 0.0))
        if save:
            checkpoint(files, epoch)


def checkpoint(files: RunDirectory, epoch: int) -> None:
    path, content = path_of(files.checkpoints, epoch), f"{files.path.name} {epoch}".encode()
    write_atomic(path, content)
    write_atomic(checksum_of(path), sha256_of(content).encode())
    files.publish_checkpoint(path)


def held(files: RunDirectory) -> dict[str, str]:
    """Returns the content of each checkpoint in a scratch folder, by file name."""
    return {path.name: path.read_text() for path in files.checkpoints.glob("*.pt")}


def test_another_machine_resumes_from_the_newest_checkpoint(cluster: Cluster) -> None:
    train(cluster.worker(1, after=0), 1, 1, 2, 3)
    second = cluster.worker(2)
    assert [row.epoch for row in second.epochs()] == [1, 2, 3]
    assert held(second) == {"epoch_000003.pt": "machine1 3"}
    assert second.outcome() is None


def test_two_generations_are_kept_in_the_store(cluster: Cluster) -> None:
    train(cluster.worker(1, after=0), 1, 1, 2, 3, 4)
    assert cluster.saved() == [Saved(1, 3), Saved(1, 4)]
    train(cluster.worker(2, after=4), 2, 5)
    assert cluster.saved() == [Saved(1, 4), Saved(2, 5)]


def test_a_damaged_checkpoint_is_skipped_for_the_previous_one(cluster: Cluster) -> None:
    train(cluster.worker(1, after=0), 1, 1, 2, 3)
    cluster.store.write("0001/epoch_000003.pt", b"machine1 4")
    second = cluster.worker(2)
    assert held(second) == {"epoch_000002.pt": "machine1 2"}
    second.begin_attempt(2, 2)
    train(second, 2, 3)
    assert cluster.saved() == [Saved(1, 2), Saved(2, 3)]  # the damaged one does not count
    assert held(cluster.worker(3)) == {"epoch_000003.pt": "machine2 3"}


@pytest.mark.parametrize("cut", ["0001/epoch_000003.pt.sha256", "0001/epoch_000003.pt"])
def test_an_incomplete_upload_is_ignored(cluster: Cluster, cut: str) -> None:
    train(cluster.worker(1, after=0), 1, 1, 2, 3)
    cluster.store.delete(cut)
    assert held(cluster.worker(2)) == {"epoch_000002.pt": "machine1 2"}


def test_a_truncated_line_does_not_count(cluster: Cluster) -> None:
    train(cluster.worker(1, after=0), 1, 1, 2, 3)
    cluster.store.write("0001/epoch_000003.json", cluster.store.read("0001/epoch_000003.json")[:-5])
    second = cluster.worker(2)
    assert [row.epoch for row in second.epochs()] == [1, 2]
    assert held(second) == {"epoch_000002.pt": "machine1 2"}  # epoch 3 does not count


def test_a_superseded_worker_neither_overwrites_nor_continues(cluster: Cluster) -> None:
    late = cluster.worker(1, after=0)
    train(late, 1, 1, 2)
    later = cluster.worker(2, after=1)
    checkpoint(late, 2)  # its upload had begun
    with pytest.raises(SupersededError):
        train(late, 1, 3)
    with pytest.raises(SupersededError):
        late.write_outcome(Outcome("finished", 1, 3, METRICS))
    train(later, 2, 2)
    third = cluster.worker(3)
    assert [(row.epoch, row.attempt) for row in third.epochs()] == [(1, 1), (2, 2)]
    assert held(third) == {"epoch_000002.pt": "machine2 2"}


def test_predictions_are_uploaded_before_the_last_line_and_the_outcome_last(cluster: Cluster) -> None:
    files = cluster.worker(1, after=0)
    train(files, 1, 1)
    files.predictions.write_bytes(b"logits")
    train(files, 1, 2, save=False)
    assert cluster.store.read("0001/predictions.parquet") == b"logits"
    assert RunObjects(cluster.store).outcome(cluster.store.names()) is None
    files.write_outcome(Outcome("finished", 1, 2, METRICS))
    assert cluster.worker(2).outcome() == Outcome("finished", 1, 2, METRICS)


def test_a_finished_run_leaves_no_checkpoints_and_no_local_files(cluster: Cluster) -> None:
    train(cluster.worker(1, after=0), 1, 1, 2)
    files = cluster.worker(2, after=2)
    train(files, 2, 3)
    files.write_outcome(Outcome("finished", 2, 3, METRICS))
    files.delete_checkpoints()
    files.discard()
    assert cluster.saved() == []
    assert not files.path.exists()


def test_the_hang_report_outlives_the_scratch_folder(cluster: Cluster) -> None:
    files = cluster.worker(1, after=0)
    report = files.hang_report(1)
    assert report.name.startswith("cskd-hang-")
    assert not report.is_relative_to(files.path.parent.parent / scratch.PREFIX)
    report.write_text("here")
    files.discard()
    assert report.read_text() == "here"


def test_a_checkpoint_of_a_replaced_epoch_is_not_used(cluster: Cluster) -> None:
    """The last bits differ between machines, so a run may only resume from a checkpoint of the epochs in its log."""
    late = cluster.worker(1, after=0)
    train(late, 1, 1, 2)
    train(cluster.worker(2, after=1), 2, 2, 3, save=False)
    checkpoint(late, 3)
    assert held(cluster.worker(3)) == {"epoch_000001.pt": "machine1 1"}
