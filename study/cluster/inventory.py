"""Lists the nodes of the connected Ray cluster and their resources, and finds out whether the cluster autoscales."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

KIND_PREFIX = "accelerator_type:"  # prefix of the Ray resource that names the kind of a node's GPUs
STATUS_KEY = "__autoscaling_status"  # key under which Ray's monitor stores what `ray status` prints


class Node(NamedTuple):
    """Resources of one node of a Ray cluster.

    Attributes:
        cpus: Number of cores.
        gpus: Number of GPUs.
        memory: Bytes of memory that Ray schedules.
        kind: Ray's name for the kind of GPU; empty if the node has none, or if Ray does not know it.
    """

    cpus: float
    gpus: float
    memory: float = math.inf
    kind: str = ""


@dataclass(frozen=True)
class Cluster:
    """Resources of the connected Ray cluster.

    Attributes:
        nodes: Nodes that are alive.
        grows: Whether an autoscaler may start more nodes.
    """

    nodes: tuple[Node, ...]
    grows: bool = False

    @property
    def cpus(self) -> float:
        """Number of cores of all nodes."""
        return sum(node.cpus for node in self.nodes)

    @property
    def gpus(self) -> float:
        """Number of GPUs of all nodes."""
        return sum(node.gpus for node in self.nodes)

    def __str__(self) -> str:
        return f"{self.cpus:g} CPUs, {self.gpus:g} GPUs{', and more on demand' if self.grows else ''}"


def connected() -> Cluster:
    """Returns the current resources of the connected cluster."""
    import ray
    from ray.experimental.internal_kv import _internal_kv_get  # no public API; `ray status` does the same

    return Cluster(tuple(alive_nodes(ray.nodes()).values()), may_grow(_internal_kv_get(STATUS_KEY)))


def alive_nodes(nodes: Iterable[Mapping[str, Any]]) -> dict[str, Node]:
    """Returns the nodes that are alive, by id.

    Args:
        nodes: Descriptions of nodes from ``ray.nodes``.
    """
    return {node["NodeID"]: _node(node["Resources"]) for node in nodes if node["Alive"]}


def gpu_kind(node: Node) -> str:
    """Returns a human-readable name for the kind of a node's GPUs; ``GPU`` if Ray does not know it."""
    return node.kind or "GPU"


def _node(resources: Mapping[str, float]) -> Node:
    kinds = [name.removeprefix(KIND_PREFIX) for name in resources if name.startswith(KIND_PREFIX)]
    return Node(
        resources.get("CPU", 0.0), resources.get("GPU", 0.0), resources.get("memory", math.inf), "".join(kinds[:1])
    )


def may_grow(status: bytes | None) -> bool:
    """Returns whether the status of Ray's monitor shows an autoscaler.

    For nodes that were started by hand, the monitor derives the node type from the node's id. Nodes of an autoscaler
    have a type from its configuration.

    Args:
        status: Value stored under ``STATUS_KEY``; None without a monitor.
    """
    found: Any = json.loads(status) if status else {}
    types = (found.get("autoscaler_report") or {}).get("node_type_mapping") or {}
    return any(name != f"node_{node}" for node, name in types.items())
