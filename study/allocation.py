"""What each trial gets of a cluster, and how many run at once; Ray places a trial on one node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from study.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from study.cluster import Cluster, Node
    from study.config import StudyConfig


@dataclass(frozen=True)
class Share:
    """What each trial gets, and how many run at once."""

    cpus: float
    gpus: float
    concurrent: int


def share_of(config: StudyConfig, cluster: Cluster) -> Share:
    """Fits the study to the cluster: one thread a trial on CPUs, one GPU a trial where there are GPUs.

    Raises:
        UsageError: A trial asks for more than any node has, or for one and a half GPUs.
    """
    wanted = config.resources
    gpus = _gpus_of(config, cluster)
    cpus = wanted.cpus_per_trial or (_even_cpus(cluster, gpus) if gpus else float(config.training.threads))
    fits = sum(trials_on(node, cpus, gpus) for node in cluster.nodes)
    if not fits:
        raise UsageError(_too_much(cpus, gpus, cluster))
    return Share(cpus, gpus, min(fits, wanted.max_concurrent or fits))


def concurrent_on(nodes: Iterable[Node], share: Share, most: int | None, *, grows: bool) -> int:
    """How many trials may ask for room at once, on the nodes that there are now.

    Args:
        nodes: That the study may use.
        share: What each trial gets.
        most: The user's ``resources.max_concurrent``.
        grows: Whether an autoscaler starts a node for a trial that finds no room: then one more may ask than fit, or as
            many as the user says.

    Example:
        >>> from study.cluster import Node
        >>> nodes = [Node(cpus=3, gpus=0), Node(cpus=3, gpus=0)]
        >>> concurrent_on(nodes, Share(2, 0, 2), None, grows=False)  # not 3: a core of each is left over
        2
        >>> concurrent_on(nodes, Share(2, 0, 2), None, grows=True), concurrent_on(nodes, Share(2, 0, 2), 8, grows=True)
        (3, 8)
    """
    fits = sum(trials_on(node, share.cpus, share.gpus) for node in nodes)
    if grows:
        return most or fits + 1
    return max(1, min(fits, most or fits))


def least(config: StudyConfig) -> dict[str, float]:
    """What a trial asks for before any node is known.

    Raises:
        UsageError: For one and a half GPUs.
    """
    wanted = config.resources
    gpus = float(config.training.device == "cuda") if wanted.gpus_per_trial is None else _wanted_gpus(config)
    bundle = {"CPU": wanted.cpus_per_trial or float(config.training.threads), "GPU": gpus}
    return {name: amount for name, amount in bundle.items() if amount}


def trials_on(node: Node, cpus: float, gpus: float) -> int:
    """How many trials fit on a node at once.

    Example:
        >>> from study.cluster import Node
        >>> trials_on(Node(cpus=8, gpus=2), cpus=1, gpus=0.4)  # two a GPU: Ray gives no trial parts of two GPUs
        4
    """
    by_cpus = _whole(node.cpus / cpus)
    return min(by_cpus, _by_gpus(node, gpus)) if gpus else by_cpus


def _gpus_of(config: StudyConfig, cluster: Cluster) -> float:
    if config.resources.gpus_per_trial is None:
        return float(cluster.gpus > 0 and config.training.device != "cpu")
    return _wanted_gpus(config)


def _wanted_gpus(config: StudyConfig) -> float:
    wanted = config.resources.gpus_per_trial or 0.0
    if wanted > 1 and wanted % 1:
        raise UsageError(
            f"resources.gpus_per_trial is {wanted:g}; Ray shares out one GPU alone: give 1 or less, or 2, 3 …"
        )
    return wanted


def _even_cpus(cluster: Cluster, gpus: float) -> float:
    """CPUs of a trial with ``gpus``, so that no GPU of the cluster is without a trial for want of CPUs."""
    shares = [node.cpus // trials for node in cluster.nodes if (trials := _by_gpus(node, gpus))]
    return max(1.0, min(shares, default=1.0))


def _by_gpus(node: Node, gpus: float) -> int:
    return _whole(node.gpus) * _whole(1 / gpus) if gpus < 1 else _whole(node.gpus / gpus)


def _whole(quotient: float) -> int:
    return int(quotient + 1e-9)  # 0.3 / 0.1 is 2.9999999999999996


def _too_much(cpus: float, gpus: float, cluster: Cluster) -> str:
    with_gpus = [node for node in cluster.nodes if not gpus or _by_gpus(node, gpus)]
    if gpus and not with_gpus:
        most = max((node.gpus for node in cluster.nodes), default=0)
        return f"resources.gpus_per_trial is {gpus:g}, but the largest node has {most:g} GPUs"
    most = max((node.cpus for node in with_gpus), default=0)
    largest = "the largest node with that many GPUs" if gpus else "the largest node"
    cure = "resources.cpus_per_trial" if gpus else "training.threads or resources.cpus_per_trial"
    return f"a trial asks for {cpus:g} CPUs, but {largest} has {most:g}; lower {cure}"
