"""Tests the packing of trials on GPUs; the long test measures on a real node that declares a GPU."""

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from study.cluster import gpu_packing
from study.cluster.gpu_packing import combined, max_trials_per_gpu, packed_share, packing_text
from study.cluster.inventory import KIND_PREFIX, Cluster, Node
from study.cluster.share import Packed, Share, share_of
from study.errors import UsageError
from study.state.attribute_names import StudyAttribute
from tests.kit.patience import patience
from trainables.costs.side_by_side import Packing

GIB = 1 << 30
ALONE = Share(4, 1, 2)
LARGE, SMALL = (
    Packing("H100", (1.0, 1.8, 2.4, 2.41), 4 * GIB, 3 * GIB),
    Packing("T4", (1.0, 1.1, 1.1), 4 * GIB, 2 * GIB),
)


def test_trials_share_a_gpu_and_reserve_memory(toy: Callable) -> None:
    cluster = Cluster((Node(8, 2, 100 * GIB, "H100"), Node(8, 0, 100 * GIB)))
    assert share_of(toy(), cluster, Packed(2, 3 * GIB)) == Share(2, 0.5, 4, 3 * GIB)
    assert share_of(toy(), cluster, Packed(2, 30 * GIB)) == Share(2, 0.5, 3, 30 * GIB)  # memory for three trials
    assert share_of(toy(resources__gpus_per_trial=1), cluster, Packed(2, 3 * GIB)).gpus == 1  # set by the user
    assert share_of(toy(training__device="cpu"), cluster, Packed(2, 30 * GIB)) == Share(1, 0, 6, 30 * GIB)
    with pytest.raises(
        UsageError, match="a trial takes 200 GiB of memory, but Ray has at most 100 GiB on a node; start Ray"
    ):
        share_of(toy(), cluster, Packed(2, 200 * GIB))


def test_the_smallest_gpu_decides_how_many_trials_share_one() -> None:
    assert combined({}) is None
    assert combined({"H100": LARGE}) == Packed(3, int(1.2 * 3 * GIB))
    assert combined({"H100": LARGE, "T4": SMALL}) == Packed(2, int(1.2 * 3 * GIB))


@pytest.mark.parametrize(
    ("node", "share", "overrides", "most"),
    [
        (Node(64, 2), ALONE, {}, 8),
        (Node(8, 2), ALONE, {}, 4),
        (Node(8, 2), ALONE, {"training__threads": 2}, 2),
        (Node(1, 2), ALONE, {}, 1),
        (Node(8, 2), ALONE, {"resources__gpus_per_trial": 0.5}, 1),  # set by the user
        (Node(8, 0), Share(1, 0, 8), {}, 1),
    ],
)
def test_each_trial_needs_a_core(toy: Callable, node: Node, share: Share, overrides: dict, most: int) -> None:
    assert max_trials_per_gpu(toy(**overrides), node, share) == most


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Three nodes with fixed measurements."""
    nodes = {"a": Node(8, 2, 64 * GIB, "H100"), "b": Node(8, 2, 64 * GIB, "H100"), "c": Node(8, 1, 64 * GIB, "T4")}
    found = SimpleNamespace(asked=[], known=[], unfit={}, refused=[], lines=[])

    def measure_packings(
        _config: object, _whole: object, known: set, _stopping: object, _say: object
    ) -> tuple[dict, dict]:
        found.known.append(known)
        missing = {"H100": LARGE, "T4": SMALL}.keys() - set(known)
        found.asked.append(missing)
        measured = {kind: {"H100": LARGE, "T4": SMALL}[kind] for kind in missing - found.unfit.keys()}
        return measured, found.unfit

    monkeypatch.setattr(gpu_packing, "measure_packings", measure_packings)
    monkeypatch.setattr(gpu_packing, "_usable", lambda _: nodes)
    monkeypatch.setattr(gpu_packing, "connected", lambda: Cluster(tuple(nodes.values())))
    return found


def share_on(cluster: SimpleNamespace, study) -> Share:
    share, kinds = packed_share(
        study.config,
        study.store,
        ALONE,
        stopping=lambda: False,
        refuse=lambda *each: cluster.refused.append(each),
        say=cluster.lines.append,
    )
    known = study.store.attribute(StudyAttribute.PACKING)
    assert kinds == known.keys() == {"H100", "T4", *known} - cluster.unfit.keys()
    return share


def test_each_kind_is_measured_once_per_study(cluster: SimpleNamespace, new_study: Callable) -> None:
    study = new_study()
    for _ in range(2):  # a launch and a resume
        assert share_on(cluster, study) == Share(2, 0.5, 10, int(1.2 * 3 * GIB))
    assert study.store.attribute(StudyAttribute.GPU_SHARE) == 0.5
    assert cluster.asked == [{"H100", "T4"}]
    assert cluster.lines[0] == "measuring how many trials run at once on H100 and T4; takes about a minute"
    assert cluster.lines[1:3] == [packing_text("H100", LARGE), packing_text("T4", SMALL)]


def test_kinds_of_another_cluster_do_not_count_as_known(cluster: SimpleNamespace, new_study: Callable) -> None:
    study = new_study()
    study.store.set_study_attribute(StudyAttribute.PACKING, {"V100": asdict(LARGE), "T4": asdict(SMALL)})
    share_on(cluster, study)
    assert cluster.known == [{"T4"}]
    assert study.store.attribute(StudyAttribute.PACKING).keys() == {"H100", "T4", "V100"}


def test_a_node_that_does_not_hold_a_trial_is_refused(cluster: SimpleNamespace, new_study: Callable) -> None:
    cluster.unfit = {"T4": "a trial needs more memory than the GPU has free"}
    share = share_on(cluster, new_study())
    assert share.gpus == pytest.approx(1 / 3)
    assert cluster.refused == [("c", "a trial needs more memory than the GPU has free")]


def test_a_stop_request_ends_the_measurement(toy: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    busy = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda *_: object()))
    monkeypatch.setattr(ray, "remote", lambda **_: lambda _: busy)  # measurements that never start, as with GPUs in use
    monkeypatch.setattr(ray, "wait", lambda waiting, **_: ([], waiting))
    monkeypatch.setattr(
        gpu_packing, "_usable", lambda _: {56 * "a": Node(8, 2, 64 * GIB, "H100")}
    )  # an id of Ray's length
    monkeypatch.setattr(gpu_packing, "LONG_SECONDS", 0)
    looks, lines = iter([False, False, True]), []
    assert gpu_packing.measure_packings(toy(), ALONE, stopping=lambda: next(looks), say=lines.append) == ({}, {})
    assert lines == ["still measuring; GPUs that are in use are measured when they are free"]  # once


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_real_study_shares_a_gpu_as_measured(tmp_path: Path) -> None:
    """A node with another kind of GPU joins later and gets no run."""
    from ray.cluster_utils import Cluster as RayCluster

    from study.state.directory import open_study
    from tests.kit.faults.drivers import read_log, start, wait_for

    made = RayCluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        made.add_node(num_cpus=2, num_gpus=1)  # declared only: torch finds no GPU and trains on the CPU
        made.wait_for_nodes()
        options = ["search.trials=6", "training.epochs=40", "confirm.seeds=[1,2]", "resources.packing=measured"]
        settings = [each for option in options for each in ("--set", option)]
        place = ("--storage", str(tmp_path), "--address", made.address)
        process = start(tmp_path, "launch", "digits", *place, *settings)
        wait_for(tmp_path, process, " at once on")
        made.add_node(num_cpus=2, num_gpus=1, resources={f"{KIND_PREFIX}T4": 1})
        assert process.wait(patience(200)) == 0, read_log(tmp_path)
    finally:
        made.shutdown()
    with open_study(tmp_path / "digits") as study:
        (found,) = gpu_packing.from_plain_data(study.store.attribute(StudyAttribute.PACKING)).values()
    assert len(found.epochs_per_second) == 2
    trials = "2 trials" if found.best == 2 else "1 trial"
    assert re.search(rf"^digits: {trials} at once on 2 CPUs, 1 GPUs", read_log(tmp_path), re.MULTILINE)
    assert packing_text("GPU", found) in read_log(tmp_path)
    assert "is excluded: its GPUs (T4) were not measured; `cskd resume` measures them" in read_log(tmp_path)
