"""Places trials on a cluster: builds each trial's resource request, and finds the node that a trial ran on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.cluster.inventory import alive_nodes
from study.cluster.share import trials_on
from trainables.errors import UnfitNodeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ray import tune

    from study.cluster.inventory import Node
    from study.cluster.share import Share

NODE_LABEL = "ray.io/node-id"  # Ray labels every node with its id
EXCLUDED_NODES = "left_out"  # key of a trial's configuration for the ids of nodes on which it must not be placed


def request(share: Share, config: Mapping[str, Any]) -> tune.PlacementGroupFactory:
    """Returns a trial's resource request: its share of one node that its configuration does not exclude."""
    from ray import tune

    bundle = {"CPU": share.cpus, "GPU": share.gpus, "memory": share.memory}
    excluded: Sequence[str] = config.get(EXCLUDED_NODES, ())
    if not excluded:
        return tune.PlacementGroupFactory([bundle])
    return tune.PlacementGroupFactory([bundle], bundle_label_selector=[{NODE_LABEL: f"!in({','.join(excluded)})"}])


def usable(nodes: Iterable[Mapping[str, Any]], share: Share, excluded: Sequence[str]) -> list[Node]:
    """Returns the nodes that are alive, not excluded, and large enough for a trial.

    Args:
        nodes: Descriptions of nodes from ``ray.nodes``.
        share: Resources of a trial.
        excluded: Ids of the excluded nodes.
    """
    return [node for name, node in alive_nodes(nodes).items() if name not in excluded and trials_on(node, share)]


def node_of_trial(trial: Any) -> str | None:
    """Returns the id of the node that runs a trial, or None if it is unknown.

    Args:
        trial: Ray Tune's trial, as passed to a scheduler.
    """
    actor = trial.temporary_state.ray_actor
    return None if actor is None else _node_of_actor(actor._actor_id.hex())


def why_refused(trial: Any) -> str | None:
    """Returns why a trial's node is unfit for it, or None if the trial ended for another reason."""
    cause = getattr(_error_of(trial), "cause", None)
    return str(cause) if isinstance(cause, UnfitNodeError) else None


def node_that_lost(trial: Any) -> str | None:
    """Returns the id of the node that lost a trial, or None if the run is at fault or the node is dead."""
    from ray.exceptions import RayActorError

    error = _error_of(trial)
    if isinstance(error, RayActorError):  # the worker died, perhaps before it started
        return _node_of_actor(error.actor_id)
    return node_of_trial(trial) if isinstance(getattr(error, "cause", None), OSError) else None


def address_of(node: str) -> str:
    """Returns a human-readable name of a node: its address and the beginning of its id."""
    import ray

    found = [each["NodeManagerAddress"] for each in ray.nodes() if each["NodeID"] == node]
    return f"{found[0]} ({node[:8]})" if found else node[:8]


def _error_of(trial: Any) -> Exception | None:
    """Reads the error of a trial from the driver's file; Ray's own reader looks elsewhere."""
    from ray import cloudpickle

    file = Path(trial.pickled_error_file) if trial.pickled_error_file else None
    error: Exception | None = cloudpickle.loads(file.read_bytes()) if file and file.exists() else None
    return error


def _node_of_actor(actor: str | None) -> str | None:
    import ray
    from ray._private.state import state  # no public API for actors that have ended

    found = state.actor_table(actor) if actor else {}
    node: str | None = found.get("Address", {}).get("NodeID")
    return node if any(each["Alive"] and each["NodeID"] == node for each in ray.nodes()) else None
