"""How a study is fitted to a cluster; the runs themselves are in test_resume.py and test_end_to_end.py."""

import pytest

from study.environment import Cluster
from study.errors import UsageError
from study.runner import Share, share_of

LAPTOP, SERVER, CLUSTER = Cluster(2, 0), Cluster(32, 4), Cluster(7, 2)


@pytest.mark.parametrize(
    ("cluster", "overrides", "expected"),
    [
        (LAPTOP, {}, Share(1, 0, 2)),  # one thread a trial
        (LAPTOP, {"training__threads": 2}, Share(2, 0, 1)),
        (LAPTOP, {"resources__cpus_per_trial": 0.5}, Share(0.5, 0, 4)),
        (LAPTOP, {"resources__max_concurrent": 1}, Share(1, 0, 1)),
        (LAPTOP, {"resources__max_concurrent": 9}, Share(1, 0, 2)),
        (SERVER, {}, Share(8, 1, 4)),  # a GPU a trial, and an equal share of the cores
        (SERVER, {"resources__gpus_per_trial": 0.5}, Share(4, 0.5, 8)),
        (SERVER, {"resources__gpus_per_trial": 2}, Share(16, 2, 2)),
        (SERVER, {"resources__cpus_per_trial": 16}, Share(16, 1, 2)),
        (SERVER, {"training__device": "cpu"}, Share(1, 0, 32)),
        (SERVER, {"resources__gpus_per_trial": 0}, Share(1, 0, 32)),
        (CLUSTER, {}, Share(3, 1, 2)),
        (Cluster(2, 8), {}, Share(1, 1, 2)),  # fewer cores than GPUs
    ],
)
def test_share(toy, cluster: Cluster, overrides: dict, expected: Share) -> None:
    assert share_of(toy(**overrides), cluster) == expected


@pytest.mark.parametrize(
    ("cluster", "overrides", "message"),
    [
        (LAPTOP, {"resources__gpus_per_trial": 1}, "gpus_per_trial is 1, but the cluster has 0 GPUs"),
        (SERVER, {"resources__gpus_per_trial": 4.5}, r"gpus_per_trial is 4\.5, but the cluster has 4 GPUs"),
        (LAPTOP, {"training__threads": 3}, "asks for 3 CPUs, but the cluster has 2; lower training.threads"),
        (LAPTOP, {"resources__cpus_per_trial": 4}, "asks for 4 CPUs, but the cluster has 2"),
    ],
)
def test_more_than_the_cluster_has(toy, cluster: Cluster, overrides: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        share_of(toy(**overrides), cluster)
