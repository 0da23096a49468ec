"""What the connected Ray cluster has, node by node, and whether more may come."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

KIND_PREFIX = "accelerator_type:"  # of the resource by which Ray tells the kind of a node's GPUs
STATUS_KEY = "__autoscaling_status"  # where the monitor of a Ray cluster leaves what `ray status` shows


class Node(NamedTuple):
    """What one machine of a Ray cluster has to give.

    Attributes:
        cpus: Cores.
        gpus: GPUs.
        memory: Bytes that Ray shares out.
        kind: Of its GPUs, as Ray calls them; empty where there are none, or where Ray does not know them.
    """

    cpus: float
    gpus: float
    memory: float = math.inf
    kind: str = ""


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

    return Cluster(tuple(up(ray.nodes()).values()), may_grow(_internal_kv_get(STATUS_KEY)))


def up(nodes: Iterable[Mapping[str, Any]]) -> dict[str, Node]:
    """The nodes that are up, by id.

    Args:
        nodes: As ``ray.nodes`` describes them.
    """
    return {node["NodeID"]: _node(node["Resources"]) for node in nodes if node["Alive"]}


def gpus_of(node: Node) -> str:
    """The kind of a node's GPUs, for people: those that Ray does not know are just GPUs."""
    return node.kind or "GPU"


def _node(has: Mapping[str, float]) -> Node:
    kinds = [name.removeprefix(KIND_PREFIX) for name in has if name.startswith(KIND_PREFIX)]
    return Node(has.get("CPU", 0.0), has.get("GPU", 0.0), has.get("memory", math.inf), "".join(kinds[:1]))


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
