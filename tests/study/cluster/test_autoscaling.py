"""Clusters whose nodes are not up yet."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from study.cluster import autoscaling
from study.cluster.inventory import Cluster, Node, may_grow
from study.cluster.share import Share, least
from study.errors import UsageError

HEAD = Node(0, 0)
ID = "f" * 56


def status(node_type: str) -> bytes:
    return json.dumps({"autoscaler_report": {"node_type_mapping": {ID: node_type}}}).encode()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (status(f"node_{ID}"), False),  # so says the monitor of a cluster that was started by hand
        (status("ray.head.default"), True),  # of `ray up`
        (status("headgroup"), True),  # of KubeRay
        (b"{}", False),
        (b'{"autoscaler_report": null}', False),
        (None, False),
    ],
)
def test_whether_nodes_may_come(found: bytes | None, expected: bool) -> None:
    assert may_grow(found) == expected


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({}, {"CPU": 1}),
        ({"training__threads": 4}, {"CPU": 4}),
        ({"resources__cpus_per_trial": 2, "resources__gpus_per_trial": 0.5}, {"CPU": 2, "GPU": 0.5}),
        ({"training__device": "cuda"}, {"CPU": 1, "GPU": 1}),
        ({"training__device": "cuda", "resources__gpus_per_trial": 0}, {"CPU": 1}),
    ],
)
def test_what_is_asked_for_before_a_node_is_known(toy, overrides: dict, expected: dict) -> None:
    assert least(toy(**overrides)) == expected


@pytest.fixture
def coming(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict]]:
    """A cluster to which nodes come at each look; returns what Ray was asked for."""

    def prepare(*looks: Cluster) -> list[dict]:
        found, asked = iter(looks), []

        @contextmanager
        def ask(bundle: dict) -> Iterator[None]:
            asked.append(bundle)
            yield

        monkeypatch.setattr(autoscaling, "connected", lambda: next(found))
        monkeypatch.setattr(autoscaling, "_asked", ask)
        monkeypatch.setattr(autoscaling, "PERIOD_SECONDS", 0)
        return asked

    return prepare


@pytest.mark.parametrize("first", [Cluster((HEAD,)), Cluster((Node(4, 0),), grows=True)])
def test_a_study_waits_for_a_node(toy, coming, first: Cluster) -> None:
    said: list[str] = []
    asked = coming(first, first, Cluster((HEAD, Node(8, 1))))
    config = toy(resources__gpus_per_trial=1)
    share = autoscaling.share_when_there(config, first, lambda: False, said.append)
    assert share == Share(8, 1, 1)
    assert asked == [{"CPU": 1, "GPU": 1}]
    assert len(said) == 1
    assert "no node is up for a trial yet" in said[0]
    assert "asked the cluster for 1 CPUs and 1 GPUs, waiting" in said[0]


def test_nobody_waits_where_there_is_room_or_none_can_come(toy, coming) -> None:
    said: list[str] = []
    asked = coming()
    assert autoscaling.share_when_there(toy(), Cluster((Node(2, 0),)), lambda: False, said.append) == Share(1, 0, 2)
    config = toy(resources__gpus_per_trial=1)
    with pytest.raises(UsageError, match="the largest node has 0 GPUs"):
        autoscaling.share_when_there(config, Cluster((Node(4, 0),)), lambda: False, said.append)
    assert (asked, said) == ([], [])


def test_no_node_will_ever_have_one_and_a_half_gpus(toy, coming) -> None:
    coming()
    with pytest.raises(UsageError, match="Ray shares out one GPU alone"):
        autoscaling.share_when_there(toy(resources__gpus_per_trial=1.5), Cluster((HEAD,)), lambda: False, print)


def test_whoever_waits_can_be_stopped(toy, coming) -> None:
    coming()
    assert autoscaling.share_when_there(toy(), Cluster((HEAD,)), lambda: True, lambda _: None) is None
