"""Runs a study on Ray and writes its results."""

from __future__ import annotations

import contextlib
import math
import signal
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, TextIO

from analysis.words.wording import number_of
from study.cluster import examination as nodes
from study.cluster import gpu_packing, placement
from study.cluster.autoscaling import wait_for_share
from study.cluster.connection import LOCAL, ray_address, ray_connection
from study.cluster.exclusion import Exclusion
from study.cluster.inventory import connected
from study.cluster.requirements import Requirements, marker_file
from study.cluster.share import concurrent_on
from study.cluster.watch import ClusterWatch
from study.driver.dispatcher import Dispatcher
from study.driver.stopping import Stopping
from study.errors import ServiceError
from study.machine.signals import StopSignals
from study.outcome import result_files
from study.phases import sequence
from study.phases.limits import Limits
from study.search import pruning
from study.state import provenance
from study.state.attribute_names import StudyAttribute
from study.state.reuse import Reuse
from study.tracking.tracker import LAST_SECONDS, PATIENCE_SECONDS, Tracker
from study.views.events import Events
from study.views.listener import Listeners
from study.views.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from study.cluster.inventory import Cluster, Node
    from study.cluster.share import Share
    from study.phases.phase import Phase
    from study.state.directory import Study
    from study.views.listener import Listener
    from trainables.tune import StudyTrainable

Until = Literal["search", "confirm"]


@dataclass(frozen=True)
class Ending:
    """How a driver ended.

    Attributes:
        interrupted: Signal that stopped it; None otherwise.
        complete: Number of completed search trials.
        failed: Number of failed trials of all phases.
        until: Last phase that it was to carry out.
        out_of_hours: Whether it ended with unfinished runs because the hours of the budget were used up.
    """

    interrupted: signal.Signals | None
    complete: int
    failed: int
    until: Until
    out_of_hours: bool


def run(
    study: Study,
    console: Console,
    *,
    action: str,
    address: str | None = None,
    until: Until = "confirm",
    allowed: Sequence[str] = (),
    events: TextIO | None = None,
    trainable: type[StudyTrainable] | None = None,
) -> Ending:
    """Carries out the runs that the study still needs, then writes its result files.

    Args:
        study: An open study; the caller holds its lease.
        console: Console for the progress display.
        action: Action that the provenance records: ``launch``, ``resume`` or ``confirm``.
        address: Address of a Ray cluster; see ``study.cluster.connection.ray_connection``.
        until: ``search`` stops before race and confirmation, so that the test set is not read.
        allowed: Changes that the user accepted, for the provenance.
        events: Stream to which events are written as JSON lines.
        trainable: Ray trainable of a trial; tests replace it by one without training.

    Raises:
        ServiceError: Ray cannot be reached, or the connection to it was lost, or a node is unsuitable for the study.
        UsageError: A trial needs more resources than the cluster has.
    """
    phases = sequence.phases_until(study, until)
    study.store.set_study_attribute(StudyAttribute.UNTIL, until)
    limits = Limits(study.config, study.store, study.directory)
    with StopSignals() as signals, _tracker(study, console) as tracker:
        study.store.identity()  # created by the driver, before other processes can ask for it
        provenance.note(study.directory, action, study.config.digest(), list(allowed))
        stopping = Stopping(signals, limits)
        if any(phase.is_open() for phase in phases) and not stopping():
            with ray_connection(address) as cluster, Progress(study, phases, console) as progress:
                signals.listen()
                share = wait_for_share(study.config, cluster, stopping, progress.note)
                tracker.start()
                if share is not None:
                    with _examined(study, address, progress.note) as examined:
                        listener = _listener(progress, events)
                        exclusion = _exclusion(study, address, listener)
                        share, kinds = _packed(study, share, stopping, exclusion, progress.note)
                        requirements = examined and replace(examined, gpu_kinds=kinds)
                        at_once = number_of(share.concurrent, "trial")
                        progress.note(f"{study.config.name}: {at_once} at once on {connected()}")
                        dispatcher = _dispatcher(study, phases, share, stopping, limits, listener)
                        dispatcher.recover()
                        with _watch(study, share, cluster, dispatcher, exclusion, signals, progress, tracker):
                            _fit(study, dispatcher, share, exclusion, requirements, signals, trainable)
                    for line in _runs_by_node(exclusion, signals):
                        progress.note(line)
        _conclude(study, tracker, signals)
        limits.note()
    return _ending(study, phases, signals, until)


@contextlib.contextmanager
def _examined(study: Study, address: str | None, say: Callable[[str], None]) -> Iterator[Requirements | None]:
    """Examines the nodes of a cluster and yields the requirements for nodes that join later.

    Yields None for a local Ray, whose only node is this machine.
    """
    if ray_address(address) == LOCAL:
        yield None
        return
    artifacts = study.config.artifacts
    with contextlib.nullcontext() if artifacts else marker_file(study.directory) as mark:
        for line in nodes.examine(mark, artifacts.uri if artifacts else None):
            say(line)
        yield Requirements(provenance.code_digest(), mark, study.config.dataset)


def _exclusion(study: Study, address: str | None, listener: Listener) -> Exclusion | None:
    """Returns the record that excludes nodes; None for a local Ray, which has one node."""
    study.store.set_study_attribute(StudyAttribute.EXCLUDED_NODES, [])
    if ray_address(address) == LOCAL:
        return None

    def exclude(node: str, reason: str) -> None:
        found = {"node": placement.address_of(node), "reason": reason}
        known = study.store.attribute(StudyAttribute.EXCLUDED_NODES)
        study.store.set_study_attribute(StudyAttribute.EXCLUDED_NODES, [*known, found])
        listener.left_out(**found)

    return Exclusion(exclude)


def _packed(
    study: Study, share: Share, stopping: Stopping, exclusion: Exclusion | None, say: Callable[[str], None]
) -> tuple[Share, frozenset[str] | None]:
    """Returns the resources of a trial, measured if the study asks for it, and the kinds of GPU that they suit."""
    if study.config.resources.packing == "none":
        return share, None
    refuse = (lambda *_: None) if exclusion is None else exclusion.node_refused  # a single node raises an error instead
    return gpu_packing.packed_share(study.config, study.store, share, stopping=stopping, refuse=refuse, say=say)


def _watch(
    study: Study,
    share: Share,
    cluster: Cluster,
    dispatcher: Dispatcher,
    exclusion: Exclusion | None,
    signals: StopSignals,
    progress: Progress,
    tracker: Tracker,
) -> ClusterWatch:
    def fit(nodes: Sequence[Node]) -> None:
        most = study.config.resources.max_concurrent
        dispatcher.max_concurrent = concurrent_on(nodes, share, most, grows=cluster.grows)

    return ClusterWatch(
        study.directory,
        share,
        excluded=lambda: () if exclusion is None else exclusion.excluded,
        stopped=lambda: signals.received,
        on_nodes=fit,
        say=progress.note,
        on_exit=lambda: tracker.end(limit=LAST_SECONDS),
    )


def _runs_by_node(exclusion: Exclusion | None, signals: StopSignals) -> list[str]:
    if exclusion is None or signals.received is not None:  # Ray may be gone, and only Ray knows the addresses
        return []
    counts = exclusion.ended.most_common()
    return [f"runs on node {placement.address_of(node)}: {count}" for node, count in counts]


def _conclude(study: Study, tracker: Tracker, signals: StopSignals) -> None:
    """Writes the results and brings MLflow up to date; an interrupted driver skips the report and waits less."""
    hurried = signals.received is not None
    limit = LAST_SECONDS if hurried else math.inf
    tracker.start()
    tracker.catch_up(PATIENCE_SECONDS, limit)  # the results name each run's MLflow id
    if hurried:
        result_files.write_results(study)
    else:
        result_files.write_all(study)
    tracker.end(PATIENCE_SECONDS, limit)


def _tracker(study: Study, console: Console) -> Tracker:
    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    return Tracker(study.directory, say, enabled=study.config.tracking.enabled)


def _listener(progress: Progress, events: TextIO | None) -> Listener:
    return progress if events is None else Listeners([progress, Events(events, progress.note)])


def _dispatcher(
    study: Study, phases: list[Phase], share: Share, stopping: Stopping, limits: Limits, listener: Listener
) -> Dispatcher:
    return Dispatcher(
        study.store,
        phases,
        max_concurrent=share.concurrent,
        retries=study.config.resources.retries,
        prunes=study.config.search.scheduler.name in pruning.RULES,
        stopping=stopping,
        limits=limits,
        reuse=Reuse(study),
        listener=listener,
    )


def _fit(
    study: Study,
    dispatcher: Dispatcher,
    share: Share,
    exclusion: Exclusion | None,
    requirements: Requirements | None,
    signals: StopSignals,
    trainable: type[StudyTrainable] | None,
) -> None:
    from ray import tune
    from ray.exceptions import RayError

    from study.driver.scheduler import StudyScheduler
    from study.driver.searcher import StudySearcher
    from trainables.tune import StudyTrainable

    pruner = pruning.pruner_of(study.config, study.store, study.directory)
    searcher = StudySearcher(dispatcher, pruner, exclusion, requirements)
    with tempfile.TemporaryDirectory(prefix="cskd-tune-") as disposable:
        tuner = tune.Tuner(
            tune.with_resources(trainable or StudyTrainable, partial(placement.request, share)),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=StudyScheduler(searcher, exclusion),
                num_samples=-1,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="study",
                storage_path=disposable,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        try:
            if signals.received is None:
                tuner.fit()
        except RayError as error:
            if signals.received is not None:  # the same signal ended Ray
                return
            raise ServiceError(
                f"the connection to Ray was lost: {str(error).splitlines()[0]}; "
                f"continue with `cskd resume {study.directory}`"
            ) from error
    if searcher.error is not None:
        raise searcher.error


def _ending(study: Study, phases: list[Phase], signals: StopSignals, until: Until) -> Ending:
    states = {phase.name: [trial.state.name for trial in study.store.trials(phase.name)] for phase in phases}
    failed = sum(names.count("FAIL") for names in states.values())
    unfinished = signals.received is None and any("RUNNING" in names for names in states.values())
    return Ending(signals.received, states["search"].count("COMPLETE"), failed, until, unfinished)
