"""Waits for a cluster's nodes to start until one has the resources for a trial."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from study.cluster.inventory import connected
from study.cluster.share import minimum_request, share_of
from study.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from study.cluster.inventory import Cluster
    from study.cluster.share import Share
    from study.definition.study_config import StudyConfig

PERIOD_SECONDS = 1.0


def wait_for_share(
    config: StudyConfig, cluster: Cluster, stopping: Callable[[], bool], say: Callable[[str], None]
) -> Share | None:
    """Returns ``share_of``; waits for a suitable node if the cluster autoscales or consists of the head alone.

    While it waits, it requests the resources of one trial from Ray, so that an autoscaler starts a node of a suitable
    type. The trials request their own later.

    Args:
        config: Configuration of the study.
        cluster: Connected cluster.
        stopping: Function that returns whether the user has asked to stop.
        say: Function that writes a line for the user.

    Returns:
        The share of each trial, or None if the user asked to stop.

    Raises:
        UsageError: A trial requests more than any node has, and no further node can join.
    """
    try:
        return share_of(config, cluster)
    except UsageError as error:
        wanted = minimum_request(config)  # raises if no node could ever provide it
        if not (cluster.grows or _has_only_head(cluster)):
            raise
        say(f"no node is up for a trial yet ({error}); asked the cluster for {resources_text(wanted)}, waiting")
    with _requested(wanted):
        while not stopping():
            with contextlib.suppress(UsageError):
                return share_of(config, connected())
            time.sleep(PERIOD_SECONDS)
    return None


def resources_text(bundle: Mapping[str, float]) -> str:
    """Formats the resources of a trial.

    Example:
        >>> resources_text({"CPU": 2, "GPU": 0.5})
        '2 CPUs and 0.5 GPUs'
    """
    return " and ".join(f"{amount:g} {name}s" for name, amount in bundle.items())


def _has_only_head(cluster: Cluster) -> bool:
    return cluster.cpus == 0


@contextlib.contextmanager
def _requested(bundle: Mapping[str, float]) -> Iterator[None]:
    """Requests the resources of one trial from Ray; requests of other drivers on the cluster are not affected."""
    from ray.util.placement_group import placement_group, remove_placement_group

    group = placement_group([dict(bundle)])
    try:
        yield
    finally:
        remove_placement_group(group)
