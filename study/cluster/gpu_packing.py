"""Decides how many trials share a GPU, from a measurement on one node of each kind of GPU."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from analysis.words.units import size
from study.cluster.inventory import alive_nodes, connected, gpu_kind
from study.cluster.share import Packed, share_of, trials_on
from study.errors import ServiceError
from study.state.attribute_names import StudyAttribute
from trainables.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from study.cluster.inventory import Node
    from study.cluster.share import Share
    from study.definition.study_config import StudyConfig
    from study.state.optuna_store import TrialStore
    from trainables.costs.side_by_side import Packing

SPARE = 1.2  # factor on the measured memory: a run also opens the test set, and its worker loads Ray's libraries
CPU = "CPU"  # kind of the nodes if trials run on CPU cores
LONG_SECONDS = 300.0  # longer than any measurement, so it must be waiting for a GPU
PERIOD_SECONDS = 0.5  # between two checks whether the user has asked to stop


def packed_share(
    config: StudyConfig,
    store: TrialStore,
    whole: Share,
    *,
    stopping: Callable[[], bool],
    refuse: Callable[[str, str], None],
    say: Callable[[str], None],
) -> tuple[Share, frozenset[str] | None]:
    """Returns the share of each trial on the connected cluster; measures kinds of GPU that were not measured yet.

    Measurements of an earlier driver of the study are reused. With several kinds of GPU, the kind that holds the fewest
    trials decides how many trials share a GPU.

    Args:
        config: Configuration of the study.
        store: Database of the study, which keeps the measurements.
        whole: Share of a trial that has a GPU alone.
        stopping: Function that returns whether the user has asked to stop; if so, the measurement ends and nothing is
            kept.
        refuse: Function that is called with each node whose GPU does not hold even one trial, and the reason.
        say: Function that writes a line for the user.

    Returns:
        The share of each trial, and the kinds of GPU that hold that many trials (None if trials use no GPU).

    Raises:
        ConfigError: No node holds a trial.
        DataError: The data is missing.
        ServiceError: A node was lost during its measurement.
    """
    nodes = _usable(whole)
    known = from_plain_data(store.attribute(StudyAttribute.PACKING) or {})
    kinds = {_kind(node, whole) for node in nodes.values()}
    if missing := kinds - known.keys():
        say(f"measuring how many trials run at once on {' and '.join(sorted(missing))}; takes about a minute")
        found, unfit = measure_packings(config, whole, kinds & known.keys(), stopping, say)
        known |= found
        store.set_study_attribute(StudyAttribute.PACKING, {kind: asdict(each) for kind, each in known.items()})
        for name, node in nodes.items():
            if reason := unfit.get(_kind(node, whole)):
                refuse(name, reason)
    used = {kind: known[kind] for kind in sorted(kinds & known.keys())}
    for kind, each in used.items():
        say(packing_text(kind, each))
    share = share_of(config, connected(), combined(used))
    if used:
        store.set_study_attribute(StudyAttribute.GPU_SHARE, share.gpus)
    fewest = min((each.best for each in used.values()), default=1)
    return share, frozenset(kind for kind, each in known.items() if each.best >= fewest) if whole.gpus else None


def measure_packings(
    config: StudyConfig,
    whole: Share,
    known: Collection[str] = (),
    stopping: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, Packing], dict[str, str]]:
    """Measures on one node of each kind, on all of them in parallel.

    Args:
        config: Configuration of the study.
        whole: Share of a trial that has a GPU alone.
        known: Kinds of the cluster's nodes that were measured before.
        stopping: Function that returns whether the user has asked to stop.
        say: Function that writes a line for the user if the measurement takes long.

    Returns:
        The packing of each kind, and for each other kind why it does not hold a single trial. Both are empty if the
        user asked to stop.

    Raises:
        ConfigError: No kind holds a trial.
        DataError: The data is missing.
        ServiceError: A node was lost during its measurement.
    """
    import ray

    measurements = _start_measurements(config, whole, known)
    waiting, late = list(measurements.values()), time.monotonic() + LONG_SECONDS
    while waiting:
        if stopping():
            return {}, {}
        if time.monotonic() > late:
            late = math.inf
            say("still measuring; GPUs that are in use are measured when they are free")
        _, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=PERIOD_SECONDS)
    results = {kind: _result_of(measurement, kind) for kind, measurement in measurements.items()}
    unfit = {kind: result for kind, result in results.items() if isinstance(result, str)}
    found = {kind: result for kind, result in results.items() if not isinstance(result, str)}
    if unfit and not (found or known):
        raise ConfigError("; ".join(unfit.values()))
    return found, unfit


def _start_measurements(config: StudyConfig, whole: Share, known: Collection[str]) -> dict[str, Any]:
    """Starts the measurements; returns Ray's object references by kind."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from trainables.costs.side_by_side import measure

    remote = ray.remote(num_cpus=whole.cpus, num_gpus=whole.gpus, max_retries=0)(measure)
    chosen = {_kind(node, whole): (name, node) for name, node in _usable(whole).items()}
    return {
        kind: remote.options(scheduling_strategy=NodeAffinitySchedulingStrategy(name, soft=False)).remote(
            config.search_config({}, 0), max_trials_per_gpu(config, node, whole)
        )
        for kind, (name, node) in chosen.items()
        if kind not in known
    }


def _result_of(measurement: Any, kind: str) -> Packing | str:
    """Returns the packing that a node measured, or why the node does not hold a single trial."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        found: Packing = ray.get(measurement)
    except RayTaskError as error:
        if not isinstance(error.cause, ConfigError):
            raise error.cause from None
        return str(error.cause)
    except RayError as error:
        raise ServiceError(
            f"a node with {kind} was lost during the measurement: {str(error).splitlines()[0]}"
        ) from error
    return found


def max_trials_per_gpu(config: StudyConfig, node: Node, whole: Share) -> int:
    """Returns how many trials may share a GPU of a node at most, because each needs a core.

    The result is 1 if trials use no GPU or the study file sets ``resources.gpus_per_trial``.
    """
    from trainables.costs.side_by_side import MOST

    if not whole.gpus or config.resources.gpus_per_trial is not None:
        return 1
    cores = node.cpus / node.gpus / (config.resources.cpus_per_trial or config.training.threads)
    return max(1, min(int(cores), MOST))


def combined(found: Mapping[str, Packing]) -> Packed | None:
    """Returns resources that suffice for a trial on any of these kinds, or None if nothing was measured."""
    if not found:
        return None
    fewest = min(each.best for each in found.values())
    return Packed(fewest, int(SPARE * max(each.host_bytes for each in found.values())))


def packing_text(kind: str, found: Packing) -> str:
    """Formats a packing for the user.

    Example:
        >>> from trainables.costs.side_by_side import Packing
        >>> packing_text("H100", Packing("NVIDIA H100", (2.0, 3.0, 3.1), device_bytes=2 << 30, host_bytes=3 << 30))
        'H100: 1, 2, 3 trials at once have 1.00, 1.50, 1.55 times the throughput of one; 2 share one; each takes 3 GiB'
        >>> packing_text("CPU", Packing("AMD EPYC", (2.0,), device_bytes=2 << 30, host_bytes=3 << 30))
        'CPU: each trial takes 3 GiB'
    """
    rates = found.epochs_per_second
    if len(rates) == 1:
        return f"{kind}: each trial takes {size(found.host_bytes)}"
    counts = ", ".join(str(count) for count in range(1, len(rates) + 1))
    work = ", ".join(f"{rate / rates[0]:.2f}" for rate in rates)
    shares = f"{found.best} share one" if found.best > 1 else "each gets a whole one"
    memory = size(found.host_bytes)
    return f"{kind}: {counts} trials at once have {work} times the throughput of one; {shares}; each takes {memory}"


def _usable(whole: Share) -> dict[str, Node]:
    import ray

    return {name: node for name, node in alive_nodes(ray.nodes()).items() if trials_on(node, whole)}


def _kind(node: Node, whole: Share) -> str:
    return gpu_kind(node) if whole.gpus else CPU


def from_plain_data(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Packing]:
    """Rebuilds packings that the database holds as plain data."""
    from trainables.costs.side_by_side import Packing

    return {
        kind: Packing(**{**each, "epochs_per_second": tuple(each["epochs_per_second"])}) for kind, each in found.items()
    }
