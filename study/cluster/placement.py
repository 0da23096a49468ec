"""Where on a cluster the trials of a study run: what each asks Ray for, and on which node it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.cluster.inventory import up
from study.cluster.share import trials_on
from trainables.errors import UnfitNodeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ray import tune

    from study.cluster.inventory import Node
    from study.cluster.share import Share

NODE_LABEL = "ray.io/node-id"  # Ray labels every node with its id
LEFT_OUT = "left_out"  # key of a trial's configuration: ids of the nodes on which it must not be placed


def request(share: Share, config: Mapping[str, Any]) -> tune.PlacementGroupFactory:
    """What a trial asks Ray for: its share of one node, which is none of those that its configuration leaves out."""
    from ray import tune

    bundle = {"CPU": share.cpus, "GPU": share.gpus, "memory": share.memory}
    left_out: Sequence[str] = config.get(LEFT_OUT, ())
    if not left_out:
        return tune.PlacementGroupFactory([bundle])
    return tune.PlacementGroupFactory([bundle], bundle_label_selector=[{NODE_LABEL: f"!in({','.join(left_out)})"}])


def usable(nodes: Iterable[Mapping[str, Any]], share: Share, left_out: Sequence[str]) -> list[Node]:
    """The nodes that are up, that a trial fits on and that are not left out.

    Args:
        nodes: As ``ray.nodes`` describes them.
        share: What a trial takes.
        left_out: Ids.
    """
    return [node for name, node in up(nodes).items() if name not in left_out and trials_on(node, share)]


def node_of_trial(trial: Any) -> str | None:
    """Id of the node on which one of Ray's trials runs; None where it is unknown.

    Args:
        trial: As Ray Tune shows it to a scheduler.
    """
    actor = trial.temporary_state.ray_actor
    return None if actor is None else _node_of_actor(actor._actor_id.hex())


def why_refused(trial: Any) -> str | None:
    """Why the node of one of Ray's trials is not fit for it; None where something else ended the trial."""
    cause = getattr(_error_of(trial), "cause", None)
    return str(cause) if isinstance(cause, UnfitNodeError) else None


def node_that_lost(trial: Any) -> str | None:
    """Id of the node that lost one of Ray's trials; None where the run is to blame, or where the node is gone."""
    from ray.exceptions import RayActorError

    error = _error_of(trial)
    if isinstance(error, RayActorError):  # its worker is gone, perhaps before it had started
        return _node_of_actor(error.actor_id)
    return node_of_trial(trial) if isinstance(getattr(error, "cause", None), OSError) else None


def address_of(node: str) -> str:
    """A node for people: its address and the beginning of its id."""
    import ray

    found = [each["NodeManagerAddress"] for each in ray.nodes() if each["NodeID"] == node]
    return f"{found[0]} ({node[:8]})" if found else node[:8]


def _error_of(trial: Any) -> Exception | None:
    """What one of Ray's trials ended with, as the driver has just written it; Ray's own reader looks elsewhere."""
    from ray import cloudpickle

    file = Path(trial.pickled_error_file) if trial.pickled_error_file else None
    error: Exception | None = cloudpickle.loads(file.read_bytes()) if file and file.exists() else None
    return error


def _node_of_actor(actor: str | None) -> str | None:
    import ray
    from ray._private.state import state  # of actors that have ended there is no public way to ask

    found = state.actor_table(actor) if actor else {}
    node: str | None = found.get("Address", {}).get("NodeID")
    return node if any(each["Alive"] and each["NodeID"] == node for each in ray.nodes()) else None
