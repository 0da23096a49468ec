"""What trials ask a cluster for, and which node is to blame; on real nodes in test_cluster.py."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from ray import cloudpickle, tune
from ray.exceptions import RayActorError, RayTaskError

from study.cluster import placement
from study.cluster.inventory import Node
from study.cluster.share import Share
from trainables.errors import PreemptedError, UnfitNodeError

SHARE = Share(cpus=2, gpus=0.5, concurrent=4)


def test_a_trial_asks_for_its_share_of_one_node() -> None:
    assert placement.request(SHARE, {}) == tune.PlacementGroupFactory([{"CPU": 2, "GPU": 0.5}])
    assert placement.request(Share(1, 0, 4), {}).bundles == [{"CPU": 1}]


def test_it_asks_for_none_of_the_nodes_that_are_left_out() -> None:
    one, two = ({placement.LEFT_OUT: ids} for ids in (("abc",), ("abc", "def")))
    selector = {placement.NODE_LABEL: "!in(abc,def)"}
    expected = tune.PlacementGroupFactory([{"CPU": 2, "GPU": 0.5}], bundle_label_selector=[selector])
    assert placement.request(SHARE, two) == expected
    requests = [placement.request(SHARE, config) for config in ({}, one, two)]
    assert len(set(requests)) == 3  # so Ray hands none of them the worker of another


def test_nodes_that_a_trial_can_use() -> None:
    nodes = [
        {"NodeID": "a", "Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0}},
        {"NodeID": "b", "Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0}},
        {"NodeID": "c", "Alive": False, "Resources": {"CPU": 4.0, "GPU": 1.0}},
        {"NodeID": "d", "Alive": True, "Resources": {"CPU": 1.0, "GPU": 1.0}},
        {"NodeID": "e", "Alive": True, "Resources": {}},
    ]
    assert placement.usable(nodes, SHARE, ("b",)) == [Node(4, 1)]


@pytest.mark.parametrize(
    ("error", "blamed"),
    [
        (RayActorError("1234"), True),
        (RayTaskError("step", "", OSError("the disk went away")), True),
        (RayTaskError("step", "", ValueError("a wrong option")), False),
        (RayTaskError("step", "", PreemptedError("its node is being drained")), False),
        (RayTaskError("step", "", UnfitNodeError("it has other code")), False),
        (None, False),
    ],
)
def test_who_is_to_blame(error, blamed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "_node_of_actor", {"1234": "the node"}.get)
    file = tmp_path / "error.pkl"
    if error is not None:
        file.write_bytes(cloudpickle.dumps(error))
    trial = SimpleNamespace(
        pickled_error_file=str(file) if error is not None else None,
        temporary_state=SimpleNamespace(ray_actor=SimpleNamespace(_actor_id=bytes.fromhex("1234"))),
    )
    assert placement.node_that_lost(trial) == ("the node" if blamed else None)
    refused = isinstance(getattr(error, "cause", None), UnfitNodeError)
    assert placement.why_refused(trial) == ("it has other code" if refused else None)
