"""A run whose worker shares no folder with anybody: to lose the machine costs what to be killed costs."""

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
    """A store, and machines that come and go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = ObjectStore((folder / "store").as_uri(), patience_seconds=0)
        self.machines = 0

    def worker(self, attempt: int, *, after: int | None = None) -> MirroredRunDirectory:
        """A worker on a new machine that has restored what there is, and begins."""
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
    """Checkpoints of a scratch folder, each with what it holds."""
    return {path.name: path.read_text() for path in files.checkpoints.glob("*.pt")}


def test_another_machine_goes_on_after_the_newest_checkpoint(cluster: Cluster) -> None:
    train(cluster.worker(1, after=0), 1, 1, 2, 3)
    second = cluster.worker(2)
    assert [row.epoch for row in second.epochs()] == [1, 2, 3]
    assert held(second) == {"epoch_000003.pt": "machine1 3"}
    assert second.outcome() is None


def test_two_generations_stay(cluster: Cluster) -> None:
    train(cluster.worker(1, after=0), 1, 1, 2, 3, 4)
    assert cluster.saved() == [Saved(1, 3), Saved(1, 4)]
    train(cluster.worker(2, after=4), 2, 5)
    assert cluster.saved() == [Saved(1, 4), Saved(2, 5)]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(cluster: Cluster) -> None:
    train(cluster.worker(1, after=0), 1, 1, 2, 3)
    cluster.store.write("0001/epoch_000003.pt", b"machine1 4")
    second = cluster.worker(2)
    assert held(second) == {"epoch_000002.pt": "machine1 2"}
    second.begin_attempt(2, 2)
    train(second, 2, 3)
    assert cluster.saved() == [Saved(1, 2), Saved(2, 3)]  # the damaged one is no generation
    assert held(cluster.worker(3)) == {"epoch_000003.pt": "machine2 3"}


@pytest.mark.parametrize("cut", ["0001/epoch_000003.pt.sha256", "0001/epoch_000003.pt"])
def test_an_unfinished_upload_is_no_checkpoint(cluster: Cluster, cut: str) -> None:
    train(cluster.worker(1, after=0), 1, 1, 2, 3)
    cluster.store.delete(cut)
    assert held(cluster.worker(2)) == {"epoch_000002.pt": "machine1 2"}


def test_a_line_that_was_cut_counts_no_more_than_on_a_disk(cluster: Cluster) -> None:
    train(cluster.worker(1, after=0), 1, 1, 2, 3)
    cluster.store.write("0001/epoch_000003.json", cluster.store.read("0001/epoch_000003.json")[:-5])
    second = cluster.worker(2)
    assert [row.epoch for row in second.epochs()] == [1, 2]
    assert held(second) == {"epoch_000002.pt": "machine1 2"}  # that of epoch 3 is beyond what counts


def test_a_late_worker_neither_overwrites_nor_goes_on(cluster: Cluster) -> None:
    late = cluster.worker(1, after=0)
    train(late, 1, 1, 2)
    later = cluster.worker(2, after=1)
    checkpoint(late, 2)  # was on its way
    with pytest.raises(SupersededError):
        train(late, 1, 3)
    with pytest.raises(SupersededError):
        late.write_outcome(Outcome("finished", 1, 3, METRICS))
    train(later, 2, 2)
    third = cluster.worker(3)
    assert [(row.epoch, row.attempt) for row in third.epochs()] == [(1, 1), (2, 2)]
    assert held(third) == {"epoch_000002.pt": "machine2 2"}


def test_predictions_are_there_before_the_last_line_and_the_outcome_after_all(cluster: Cluster) -> None:
    files = cluster.worker(1, after=0)
    train(files, 1, 1)
    files.predictions.write_bytes(b"logits")
    train(files, 1, 2, save=False)
    assert cluster.store.read("0001/predictions.parquet") == b"logits"
    assert RunObjects(cluster.store).outcome(cluster.store.names()) is None
    files.write_outcome(Outcome("finished", 1, 2, METRICS))
    assert cluster.worker(2).outcome() == Outcome("finished", 1, 2, METRICS)


def test_a_finished_run_leaves_no_checkpoints_and_nothing_on_its_machine(cluster: Cluster) -> None:
    train(cluster.worker(1, after=0), 1, 1, 2)
    files = cluster.worker(2, after=2)
    train(files, 2, 3)
    files.write_outcome(Outcome("finished", 2, 3, METRICS))
    files.delete_checkpoints()
    files.discard()
    assert cluster.saved() == []
    assert not files.path.exists()


def test_where_a_worker_hung_outlives_its_scratch_folder(cluster: Cluster) -> None:
    files = cluster.worker(1, after=0)
    report = files.hang_report(1)
    assert report.name.startswith("cskd-hang-")
    assert not report.is_relative_to(files.path.parent.parent / scratch.PREFIX)
    report.write_text("here")
    files.discard()
    assert report.read_text() == "here"


def test_a_checkpoint_of_epochs_that_another_attempt_trained_is_not_taken(cluster: Cluster) -> None:
    """On other hardware the last bits differ: what a run goes on from is what its log says it did."""
    late = cluster.worker(1, after=0)
    train(late, 1, 1, 2)
    train(cluster.worker(2, after=1), 2, 2, 3, save=False)
    checkpoint(late, 3)
    assert held(cluster.worker(3)) == {"epoch_000001.pt": "machine1 1"}
