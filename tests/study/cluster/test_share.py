"""Tests the share of each trial on clusters of different nodes."""

import pytest

from study.cluster.inventory import Cluster, Node
from study.cluster.share import Share, share_of
from study.errors import UsageError

LAPTOP, SERVER, ODD = (Cluster((Node(*each),)) for each in ((2, 0), (32, 4), (7, 2)))
NODES = Cluster((Node(3, 0), Node(3, 0)))
MIXED = Cluster((Node(16, 0), Node(8, 1), Node(32, 4)))  # a node without GPUs, a small node and a large node with GPUs
IDLE_HEAD = Cluster((Node(0, 0), Node(4, 0)))


@pytest.mark.parametrize(
    ("cluster", "overrides", "expected"),
    [
        (LAPTOP, {}, Share(1, 0, 2)),  # one thread per trial
        (LAPTOP, {"training__threads": 2}, Share(2, 0, 1)),
        (LAPTOP, {"resources__cpus_per_trial": 0.5}, Share(0.5, 0, 4)),
        (LAPTOP, {"resources__cpus_per_trial": 0.1}, Share(0.1, 0, 20)),
        (LAPTOP, {"resources__max_concurrent": 1}, Share(1, 0, 1)),
        (LAPTOP, {"resources__max_concurrent": 9}, Share(1, 0, 2)),
        (SERVER, {}, Share(8, 1, 4)),  # one GPU per trial, and an equal share of the cores
        (SERVER, {"resources__gpus_per_trial": 0.5}, Share(4, 0.5, 8)),
        (
            SERVER,
            {"resources__gpus_per_trial": 0.4},
            Share(4, 0.4, 8),
        ),  # two per GPU; the rest of it is too small for a third
        (SERVER, {"resources__gpus_per_trial": 0.6}, Share(8, 0.6, 4)),
        (SERVER, {"resources__gpus_per_trial": 2}, Share(16, 2, 2)),
        (SERVER, {"resources__gpus_per_trial": 3}, Share(32, 3, 1)),
        (SERVER, {"resources__cpus_per_trial": 16}, Share(16, 1, 2)),
        (SERVER, {"training__device": "cpu"}, Share(1, 0, 32)),
        (SERVER, {"resources__gpus_per_trial": 0}, Share(1, 0, 32)),
        (ODD, {}, Share(3, 1, 2)),
        (Cluster((Node(2, 8),)), {}, Share(1, 1, 2)),  # fewer cores than GPUs
        (NODES, {}, Share(1, 0, 6)),
        (NODES, {"training__threads": 2}, Share(2, 0, 2)),  # a core of each node is left over
        (NODES, {"training__threads": 3}, Share(3, 0, 2)),
        (MIXED, {}, Share(8, 1, 5)),
        (MIXED, {"resources__gpus_per_trial": 0.5}, Share(4, 0.5, 10)),
        (MIXED, {"resources__gpus_per_trial": 2}, Share(16, 2, 2)),  # on the large node only
        (MIXED, {"resources__cpus_per_trial": 16}, Share(16, 1, 2)),
        (MIXED, {"training__device": "cpu"}, Share(1, 0, 56)),
        (IDLE_HEAD, {}, Share(1, 0, 4)),
    ],
)
def test_share(toy, cluster: Cluster, overrides: dict, expected: Share) -> None:
    assert share_of(toy(**overrides), cluster) == expected


@pytest.mark.bad_input(32)
@pytest.mark.parametrize(
    ("cluster", "overrides", "message"),
    [
        (LAPTOP, {"resources__gpus_per_trial": 1}, "gpus_per_trial is 1, but the largest node has 0 GPUs"),
        (SERVER, {"resources__gpus_per_trial": 5}, "gpus_per_trial is 5, but the largest node has 4 GPUs"),
        (SERVER, {"resources__gpus_per_trial": 1.5}, r"gpus_per_trial is 1\.5; Ray splits only single GPUs"),
        (LAPTOP, {"training__threads": 3}, "requests 3 CPUs, but the largest node has 2; lower training.threads"),
        (NODES, {"resources__cpus_per_trial": 4}, "requests 4 CPUs, but the largest node has 3; lower"),
        (MIXED, {"resources__gpus_per_trial": 5}, "gpus_per_trial is 5, but the largest node has 4 GPUs"),
        (
            Cluster((Node(16, 0), Node(4, 1))),
            {"resources__cpus_per_trial": 8},
            "requests 8 CPUs, but the largest node with that many GPUs has 4; lower resources.cpus_per_trial",
        ),
        (Cluster(()), {}, "requests 1 CPUs, but the largest node has 0"),
    ],
)
def test_a_request_that_no_node_can_fulfil_is_refused(toy, cluster: Cluster, overrides: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        share_of(toy(**overrides), cluster)
    assert "\n" not in str(caught.value)
