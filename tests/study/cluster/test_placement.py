"""Tests the resource requests of trials, and which node lost a trial; test_inventory.py uses real nodes."""

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


def test_a_trial_requests_its_share_of_one_node() -> None:
    assert placement.request(SHARE, {}) == tune.PlacementGroupFactory([{"CPU": 2, "GPU": 0.5}])
    assert placement.request(Share(1, 0, 4), {}).bundles == [{"CPU": 1}]


def test_a_request_rules_out_excluded_nodes() -> None:
    one, two = ({placement.EXCLUDED_NODES: ids} for ids in (("abc",), ("abc", "def")))
    selector = {placement.NODE_LABEL: "!in(abc,def)"}
    expected = tune.PlacementGroupFactory([{"CPU": 2, "GPU": 0.5}], bundle_label_selector=[selector])
    assert placement.request(SHARE, two) == expected
    requests = [placement.request(SHARE, config) for config in ({}, one, two)]
    assert len(set(requests)) == 3  # so Ray does not reuse a worker across them


def test_usable_nodes() -> None:
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
        (RayTaskError("step", "", OSError("the disk is gone")), True),
        (RayTaskError("step", "", ValueError("a wrong option")), False),
        (RayTaskError("step", "", PreemptedError("its node is being drained")), False),
        (RayTaskError("step", "", UnfitNodeError("it has other code")), False),
        (None, False),
    ],
)
def test_the_node_that_lost_a_trial(error, blamed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
