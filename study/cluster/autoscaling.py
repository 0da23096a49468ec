"""Clusters whose nodes are not up yet: whether more can come, and waiting until a trial has room."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from study.cluster.inventory import connected
from study.cluster.share import least, share_of
from study.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from study.cluster.inventory import Cluster
    from study.cluster.share import Share
    from study.definition.study_config import StudyConfig

PERIOD_SECONDS = 1.0


def share_when_there(
    config: StudyConfig, cluster: Cluster, stopping: Callable[[], bool], say: Callable[[str], None]
) -> Share | None:
    """``share_of``; on a cluster that grows, or whose head is alone, once a node is up that a trial fits on.

    Ray is asked for room for one trial, so that an autoscaler starts a node of a type that suits; the trials then ask
    for theirs.

    Args:
        config: The study.
        cluster: What is connected.
        stopping: Whether the user has asked to stop.
        say: Writes a line for the user.

    Returns:
        None when the user stopped the waiting.

    Raises:
        UsageError: A trial asks for more than any node has, and no other nodes can come.
    """
    try:
        return share_of(config, cluster)
    except UsageError as lack:
        wanted = least(config)  # refuses what no node can ever give
        if not (cluster.grows or _head_is_alone(cluster)):
            raise
        say(f"no node is up for a trial yet ({lack}); asked the cluster for {in_words(wanted)}, waiting")
    with _asked(wanted):
        while not stopping():
            with contextlib.suppress(UsageError):
                return share_of(config, connected())
            time.sleep(PERIOD_SECONDS)
    return None


def in_words(bundle: Mapping[str, float]) -> str:
    """What a trial takes.

    Example:
        >>> in_words({"CPU": 2, "GPU": 0.5})
        '2 CPUs and 0.5 GPUs'
    """
    return " and ".join(f"{amount:g} {name}s" for name, amount in bundle.items())


def _head_is_alone(cluster: Cluster) -> bool:
    return cluster.cpus == 0


@contextlib.contextmanager
def _asked(bundle: Mapping[str, float]) -> Iterator[None]:
    """Asks for room for one trial, beside what other drivers of the cluster ask for."""
    from ray.util.placement_group import placement_group, remove_placement_group

    asked = placement_group([dict(bundle)])
    try:
        yield
    finally:
        remove_placement_group(asked)
