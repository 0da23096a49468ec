"""What the connected Ray cluster has, node by node, and whether more may come."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

STATUS_KEY = "__autoscaling_status"  # where the monitor of a Ray cluster leaves what `ray status` shows


class Node(NamedTuple):
    """What one machine of a Ray cluster has to give."""

    cpus: float
    gpus: float


@dataclass(frozen=True)
class Cluster:
    """What the connected Ray cluster has, node by node; and whether an autoscaler may start more."""

    nodes: tuple[Node, ...]
    grows: bool = False

    @property
    def cpus(self) -> float:
        """Of all nodes."""
        return sum(node.cpus for node in self.nodes)

    @property
    def gpus(self) -> float:
        """Of all nodes."""
        return sum(node.gpus for node in self.nodes)

    def __str__(self) -> str:
        return f"{self.cpus:g} CPUs, {self.gpus:g} GPUs{', and more on demand' if self.grows else ''}"


def connected() -> Cluster:
    """The cluster as it is now."""
    import ray
    from ray.experimental.internal_kv import _internal_kv_get  # as `ray status` does: there is no public way

    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    nodes = tuple(Node(has.get("CPU", 0.0), has.get("GPU", 0.0)) for has in alive)
    return Cluster(nodes, may_grow(_internal_kv_get(STATUS_KEY)))


def may_grow(status: bytes | None) -> bool:
    """Whether an autoscaler starts nodes, by what Ray's monitor says.

    Of nodes that nobody starts the monitor makes up a type from the node's id; those of an autoscaler have the name
    that its configuration gives.

    Args:
        status: What is stored at ``STATUS_KEY``; None where there is no monitor.
    """
    found: Any = json.loads(status) if status else {}
    types = (found.get("autoscaler_report") or {}).get("node_type_mapping") or {}
    return any(name != f"node_{node}" for node, name in types.items())
