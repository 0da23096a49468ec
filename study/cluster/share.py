"""Computes the resources of each trial and how many trials run at once; Ray places a trial on one node."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from analysis.words.units import size
from study.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from study.cluster.inventory import Cluster, Node
    from study.definition.study_config import StudyConfig


@dataclass(frozen=True)
class Packed:
    """Measured packing of a study's trials on the nodes of a cluster.

    Attributes:
        trials_per_gpu: Number of trials that share one GPU.
        memory: Bytes of host memory of a trial, with a safety margin.
    """

    trials_per_gpu: int
    memory: int


@dataclass(frozen=True)
class Share:
    """Resources of each trial, and how many trials run at once.

    Attributes:
        cpus: Number of cores.
        gpus: Number of GPUs; below 1, a fraction of one GPU.
        concurrent: Number of trials that run at once.
        memory: Bytes of host memory that Ray reserves for a trial; 0 if it was not measured.
    """

    cpus: float
    gpus: float
    concurrent: int
    memory: int = 0


def share_of(config: StudyConfig, cluster: Cluster, packed: Packed | None = None) -> Share:
    """Computes the share of each trial: one GPU per trial on nodes with GPUs, else one thread per trial.

    Args:
        config: Configuration of the study.
        cluster: Resources of the cluster.
        packed: Measured packing; with it, trials share GPUs and reserve host memory.

    Raises:
        UsageError: A trial requests more than any node has, or a fractional number of GPUs above 1.
    """
    wanted = config.resources
    gpus = _gpus_of(config, cluster, packed)
    cpus = wanted.cpus_per_trial or (_even_cpus(cluster, gpus) if gpus else float(config.training.threads))
    share = Share(cpus, gpus, 0, packed.memory if packed else 0)
    fits = sum(trials_on(node, share) for node in cluster.nodes)
    if not fits:
        raise UsageError(_why_too_large(share, cluster))
    return replace(share, concurrent=min(fits, wanted.max_concurrent or fits))


def concurrent_on(nodes: Iterable[Node], share: Share, most: int | None, *, grows: bool) -> int:
    """Returns how many trials may request resources at once on the current nodes.

    Args:
        nodes: Nodes that the study may use.
        share: Resources of each trial.
        most: Value of ``resources.max_concurrent``; None if the study file does not set it.
        grows: Whether an autoscaler starts a node for a trial that fits on none. If so, one trial more than fit may
            request resources, or ``most`` trials if it is set.

    Example:
        >>> from study.cluster.inventory import Node
        >>> nodes = [Node(cpus=3, gpus=0), Node(cpus=3, gpus=0)]
        >>> concurrent_on(nodes, Share(2, 0, 2), None, grows=False)  # not 3: a core of each is left over
        2
        >>> concurrent_on(nodes, Share(2, 0, 2), None, grows=True), concurrent_on(nodes, Share(2, 0, 2), 8, grows=True)
        (3, 8)
    """
    fits = sum(trials_on(node, share) for node in nodes)
    if grows:
        return most or fits + 1
    return max(1, min(fits, most or fits))


def minimum_request(config: StudyConfig) -> dict[str, float]:
    """Returns the resource request of a trial before any node is known.

    Raises:
        UsageError: ``resources.gpus_per_trial`` is fractional and above 1.
    """
    wanted = config.resources
    gpus = float(config.training.device == "cuda") if wanted.gpus_per_trial is None else _wanted_gpus(config)
    bundle = {"CPU": wanted.cpus_per_trial or float(config.training.threads), "GPU": gpus}
    return {name: amount for name, amount in bundle.items() if amount}


def trials_on(node: Node, share: Share) -> int:
    """Returns how many trials fit on a node at once.

    Example:
        >>> from study.cluster.inventory import Node
        >>> trials_on(Node(cpus=8, gpus=2), Share(cpus=1, gpus=0.4, concurrent=1))  # no fractions of two GPUs
        4
        >>> trials_on(Node(cpus=8, gpus=2, memory=3e9), Share(cpus=1, gpus=0.4, concurrent=1, memory=2 * 10**9))
        1
    """
    fits = [_whole(node.cpus / share.cpus)]
    if share.gpus:
        fits.append(_by_gpus(node, share.gpus))
    if share.memory and node.memory < math.inf:
        fits.append(_whole(node.memory / share.memory))
    return min(fits)


def _gpus_of(config: StudyConfig, cluster: Cluster, packed: Packed | None) -> float:
    if config.resources.gpus_per_trial is not None:
        return _wanted_gpus(config)
    if not cluster.gpus or config.training.device == "cpu":
        return 0.0
    return 1 / packed.trials_per_gpu if packed else 1.0


def _wanted_gpus(config: StudyConfig) -> float:
    wanted = config.resources.gpus_per_trial or 0.0
    if wanted > 1 and wanted % 1:
        raise UsageError(
            f"resources.gpus_per_trial is {wanted:g}; Ray splits only single GPUs: give 1 or less, or 2, 3 …"
        )
    return wanted


def _even_cpus(cluster: Cluster, gpus: float) -> float:
    """Returns the largest number of CPUs per trial with which trials can use every GPU of the cluster."""
    shares = [node.cpus // trials for node in cluster.nodes if (trials := _by_gpus(node, gpus))]
    return max(1.0, min(shares, default=1.0))


def _by_gpus(node: Node, gpus: float) -> int:
    return _whole(node.gpus) * _whole(1 / gpus) if gpus < 1 else _whole(node.gpus / gpus)


def _whole(quotient: float) -> int:
    return int(quotient + 1e-9)  # 0.3 / 0.1 is 2.9999999999999996


def _why_too_large(share: Share, cluster: Cluster) -> str:
    with_gpus = [node for node in cluster.nodes if not share.gpus or _by_gpus(node, share.gpus)]
    if share.gpus and not with_gpus:
        most = max((node.gpus for node in cluster.nodes), default=0)
        return f"resources.gpus_per_trial is {share.gpus:g}, but the largest node has {most:g} GPUs"
    with_cpus = [node for node in with_gpus if node.cpus >= share.cpus]
    if with_cpus:
        most = max(node.memory for node in with_cpus)
        return (
            f"a trial takes {size(share.memory)} of memory, but Ray has at most {size(int(most))} on a node; start Ray "
            "with more (ray start --memory), or set resources.packing: none, which reserves none"
        )
    most = max((node.cpus for node in with_gpus), default=0)
    largest = "the largest node with that many GPUs" if share.gpus else "the largest node"
    cure = "resources.cpus_per_trial" if share.gpus else "training.threads or resources.cpus_per_trial"
    return f"a trial requests {share.cpus:g} CPUs, but {largest} has {most:g}; lower {cure}"
