"""What is said of a cluster that loses its nodes; one that loses its head is in test_cluster.py."""

import pytest

from study.allocation import Share
from study.cluster_watch import ClusterWatch


def node(alive: bool = True, **resources: float) -> dict:
    return {"Alive": alive, "Resources": resources}


@pytest.mark.fault(7)
def test_waiting_is_said_once_and_so_is_its_end(tmp_path) -> None:
    said: list[str] = []
    watch = ClusterWatch(tmp_path, Share(cpus=2, gpus=1, concurrent=1), said.append, lambda: None)
    watch.look([node(CPU=2, GPU=1)])
    assert said == []
    for _ in range(2):
        watch.look([node(), node(alive=False, CPU=2, GPU=1), node(CPU=8), node(CPU=1, GPU=1)])
    assert said == ["no node is left with 2 CPUs and 1 GPUs; waiting for one"]
    for _ in range(2):
        watch.look([node(), node(CPU=2, GPU=1)])
    assert said[1:] == ["a node is there again; the study goes on"]
