"""Waiting for a cluster's nodes to start."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from study.cluster import autoscaling
from study.cluster.inventory import Cluster, Node, may_grow
from study.cluster.share import Share, minimum_request
from study.errors import UsageError

HEAD = Node(0, 0)
ID = "f" * 56


def status(node_type: str) -> bytes:
    return json.dumps({"autoscaler_report": {"node_type_mapping": {ID: node_type}}}).encode()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (status(f"node_{ID}"), False),  # reported by the monitor of a cluster that was started by hand
        (status("ray.head.default"), True),  # reported by `ray up`
        (status("headgroup"), True),  # reported by KubeRay
        (b"{}", False),
        (b'{"autoscaler_report": null}', False),
        (None, False),
    ],
)
def test_may_grow_detects_an_autoscaler(found: bytes | None, expected: bool) -> None:
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
def test_request_before_any_node_is_known(toy, overrides: dict, expected: dict) -> None:
    assert minimum_request(toy(**overrides)) == expected


@pytest.fixture
def changing_cluster(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict]]:
    """A cluster whose nodes change at each look; returns the list of resource requests."""

    def prepare(*looks: Cluster) -> list[dict]:
        found, requests = iter(looks), []

        @contextmanager
        def request(bundle: dict) -> Iterator[None]:
            requests.append(bundle)
            yield

        monkeypatch.setattr(autoscaling, "connected", lambda: next(found))
        monkeypatch.setattr(autoscaling, "_requested", request)
        monkeypatch.setattr(autoscaling, "PERIOD_SECONDS", 0)
        return requests

    return prepare


@pytest.mark.parametrize("first", [Cluster((HEAD,)), Cluster((Node(4, 0),), grows=True)])
def test_a_study_waits_for_a_node(toy, changing_cluster, first: Cluster) -> None:
    lines: list[str] = []
    requests = changing_cluster(first, first, Cluster((HEAD, Node(8, 1))))
    config = toy(resources__gpus_per_trial=1)
    share = autoscaling.wait_for_share(config, first, lambda: False, lines.append)
    assert share == Share(8, 1, 1)
    assert requests == [{"CPU": 1, "GPU": 1}]
    assert len(lines) == 1
    assert "no node is up for a trial yet" in lines[0]
    assert "asked the cluster for 1 CPUs and 1 GPUs, waiting" in lines[0]


def test_no_waiting_if_a_node_is_free_or_none_can_join(toy, changing_cluster) -> None:
    lines: list[str] = []
    requests = changing_cluster()
    assert autoscaling.wait_for_share(toy(), Cluster((Node(2, 0),)), lambda: False, lines.append) == Share(1, 0, 2)
    config = toy(resources__gpus_per_trial=1)
    with pytest.raises(UsageError, match="the largest node has 0 GPUs"):
        autoscaling.wait_for_share(config, Cluster((Node(4, 0),)), lambda: False, lines.append)
    assert (requests, lines) == ([], [])


def test_one_and_a_half_gpus_are_refused_without_waiting(toy, changing_cluster) -> None:
    changing_cluster()
    with pytest.raises(UsageError, match="Ray splits only single GPUs"):
        autoscaling.wait_for_share(toy(resources__gpus_per_trial=1.5), Cluster((HEAD,)), lambda: False, print)


def test_waiting_can_be_stopped(toy, changing_cluster) -> None:
    changing_cluster()
    assert autoscaling.wait_for_share(toy(), Cluster((HEAD,)), lambda: True, lambda _: None) is None
