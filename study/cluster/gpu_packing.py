"""Packs trials onto the nodes of a cluster by what they take there, measured once for each kind of GPU."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from analysis.words.units import size
from study.cluster.inventory import connected, gpus_of, up
from study.cluster.share import Packed, share_of, trials_on
from study.errors import ServiceError
from study.state.attribute_names import StudyAttribute
from trainables.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from study.cluster.inventory import Node
    from study.cluster.share import Share
    from study.definition.study_config import StudyConfig
    from study.state.optuna_store import Store
    from trainables.costs.side_by_side import Packing

SPARE = 1.2  # times the memory measured: a run opens the test set, too, and its worker has libraries of Ray
CPU = "CPU"  # the kind of nodes on whose cores the trials run
LONG_SECONDS = 300.0  # longer than a measurement takes: then it waits for a GPU
PERIOD_SECONDS = 0.5  # between two looks whether the user has asked to stop


def packed_share(
    config: StudyConfig,
    store: Store,
    whole: Share,
    *,
    stopping: Callable[[], bool],
    refuse: Callable[[str, str], None],
    say: Callable[[str], None],
) -> tuple[Share, frozenset[str] | None]:
    """What each trial gets of the connected cluster, after a look at what trials do together.

    What an earlier driver of the study has measured is taken as it is. On different GPUs as many trials share one as
    suit the kind that holds the fewest.

    Args:
        config: The study.
        store: Keeps what was measured.
        whole: What a trial gets that shares its GPU with none.
        stopping: Whether the user has asked to stop; ends a measurement, of which nothing is kept.
        refuse: Called with a node, and the reason, whose GPU does not hold even one trial.
        say: Writes a line for the user.

    Returns:
        The share; and the kinds of GPUs that hold as many, None where trials take none.

    Raises:
        ConfigError: No node holds a trial.
        DataError: The data is not there.
        ServiceError: A node was lost while it measured.
    """
    nodes = _usable(whole)
    known = restored(store.attribute(StudyAttribute.PACKING) or {})
    kinds = {_kind(node, whole) for node in nodes.values()}
    if missing := kinds - known.keys():
        say(f"measuring how many trials {' and '.join(sorted(missing))} takes at once, about a minute")
        found, unfit = ask(config, whole, kinds & known.keys(), stopping, say)
        known |= found
        store.set_study_attribute(StudyAttribute.PACKING, {kind: asdict(each) for kind, each in known.items()})
        for name, node in nodes.items():
            if reason := unfit.get(_kind(node, whole)):
                refuse(name, reason)
    used = {kind: known[kind] for kind in sorted(kinds & known.keys())}
    for kind, each in used.items():
        say(in_words(kind, each))
    share = share_of(config, connected(), packed(used))
    if used:
        store.set_study_attribute(StudyAttribute.GPU_SHARE, share.gpus)
    fewest = min((each.best for each in used.values()), default=1)
    return share, frozenset(kind for kind, each in known.items() if each.best >= fewest) if whole.gpus else None


def ask(
    config: StudyConfig,
    whole: Share,
    known: Collection[str] = (),
    stopping: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, Packing], dict[str, str]]:
    """Measures on a node of each kind, on all of them at once.

    Args:
        config: The study.
        whole: What a trial gets that shares its GPU with none.
        known: Kinds of nodes that are there and need no measurement.
        stopping: Whether the user has asked to stop.
        say: Writes a line for the user where it takes long.

    Returns:
        What was found by kind; and by kind why it does not hold a single trial. Nothing when the user has stopped it.

    Raises:
        ConfigError: No kind holds a trial.
        DataError: The data is not there.
        ServiceError: A node was lost while it measured.
    """
    import ray

    asked = _asked(config, whole, known)
    waiting, late = list(asked.values()), time.monotonic() + LONG_SECONDS
    while waiting:
        if stopping():
            return {}, {}
        if time.monotonic() > late:
            late = math.inf
            say("still measuring; what others use is measured when it is free")
        _, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=PERIOD_SECONDS)
    said = {kind: _answer(question, kind) for kind, question in asked.items()}
    unfit = {kind: answer for kind, answer in said.items() if isinstance(answer, str)}
    found = {kind: answer for kind, answer in said.items() if not isinstance(answer, str)}
    if unfit and not (found or known):
        raise ConfigError("; ".join(unfit.values()))
    return found, unfit


def _asked(config: StudyConfig, whole: Share, known: Collection[str]) -> dict[str, Any]:
    """Begins the measurements; what Ray gives for each of them, by kind."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from trainables.costs.side_by_side import measure

    remote = ray.remote(num_cpus=whole.cpus, num_gpus=whole.gpus, max_retries=0)(measure)
    chosen = {_kind(node, whole): (name, node) for name, node in _usable(whole).items()}
    return {
        kind: remote.options(scheduling_strategy=NodeAffinitySchedulingStrategy(name, soft=False)).remote(
            config.search_config({}, 0), most_at_once(config, node, whole)
        )
        for kind, (name, node) in chosen.items()
        if kind not in known
    }


def _answer(question: Any, kind: str) -> Packing | str:
    """What was found on a node; or why it does not hold a single trial."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        found: Packing = ray.get(question)
    except RayTaskError as error:
        if not isinstance(error.cause, ConfigError):
            raise error.cause from None
        return str(error.cause)
    except RayError as error:
        raise ServiceError(f"a node with {kind} was lost while it measured: {str(error).splitlines()[0]}") from error
    return found


def most_at_once(config: StudyConfig, node: Node, whole: Share) -> int:
    """The largest number of trials that may share a GPU of a node: each needs a core; 1 where it is no question."""
    from trainables.costs.side_by_side import MOST

    if not whole.gpus or config.resources.gpus_per_trial is not None:
        return 1
    cores = node.cpus / node.gpus / (config.resources.cpus_per_trial or config.training.threads)
    return max(1, min(int(cores), MOST))


def packed(found: Mapping[str, Packing]) -> Packed | None:
    """What trials ask for that may land on any of these kinds; None where nothing was measured."""
    if not found:
        return None
    fewest = min(each.best for each in found.values())
    return Packed(fewest, int(SPARE * max(each.host_bytes for each in found.values())))


def in_words(kind: str, found: Packing) -> str:
    """What was found, for people.

    Example:
        >>> from trainables.costs.side_by_side import Packing
        >>> in_words("H100", Packing("NVIDIA H100", (2.0, 3.0, 3.1), device_bytes=2 << 30, host_bytes=3 << 30))
        'H100: 1, 2, 3 trials at once do 1.00, 1.50, 1.55 of the work of one, so 2 share one; each takes 3 GiB'
        >>> in_words("CPU", Packing("AMD EPYC", (2.0,), device_bytes=2 << 30, host_bytes=3 << 30))
        'CPU: each trial takes 3 GiB'
    """
    rates = found.epochs_per_second
    if len(rates) == 1:
        return f"{kind}: each trial takes {size(found.host_bytes)}"
    counts = ", ".join(str(count) for count in range(1, len(rates) + 1))
    work = ", ".join(f"{rate / rates[0]:.2f}" for rate in rates)
    shares = f"{found.best} share one" if found.best > 1 else "each has one of its own"
    memory = size(found.host_bytes)
    return f"{kind}: {counts} trials at once do {work} of the work of one, so {shares}; each takes {memory}"


def _usable(whole: Share) -> dict[str, Node]:
    import ray

    return {name: node for name, node in up(ray.nodes()).items() if trials_on(node, whole)}


def _kind(node: Node, whole: Share) -> str:
    return gpus_of(node) if whole.gpus else CPU


def restored(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Packing]:
    """Packings that were kept as plain data."""
    from trainables.costs.side_by_side import Packing

    return {
        kind: Packing(**{**each, "epochs_per_second": tuple(each["epochs_per_second"])}) for kind, each in found.items()
    }
