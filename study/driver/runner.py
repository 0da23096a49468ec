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
from study.tracking.tracking_thread import LAST_SECONDS, PATIENCE_SECONDS, Tracker
from study.views.events import Events
from study.views.listener import Listeners
from study.views.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from study.cluster.inventory import Cluster, Node
    from study.cluster.share import Share
    from study.state.directory import OpenStudy
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


class Driver:
    """Carries out the runs that a study still needs, then writes its result files.

    Args:
        study: An open study; the caller holds its lease.
        console: Console for the progress display.
        address: Address of a Ray cluster; see ``study.cluster.connection.ray_connection``.
        until: ``search`` stops before race and confirmation, so that the test set is not read.
        events: Stream to which events are written as JSON lines.
        trainable: Ray trainable of a trial; tests replace it by one without training.
    """

    def __init__(
        self,
        study: OpenStudy,
        console: Console,
        *,
        address: str | None = None,
        until: Until = "confirm",
        events: TextIO | None = None,
        trainable: type[StudyTrainable] | None = None,
    ) -> None:
        self._study = study
        self._console = console
        self._address = address
        self._until = until
        self._events = events
        self._trainable = trainable
        self._phases = sequence.phases_until(study, until)
        self._limits = Limits(study)
        self._signals = StopSignals()
        self._stopping = Stopping(self._signals, self._limits)
        say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
        self._tracker = Tracker(study.directory, say, enabled=study.config.tracking.enabled)

    def run(self, action: str, allowed: Sequence[str] = ()) -> Ending:
        """Runs the study until it has ended or is stopped.

        Args:
            action: Action that the provenance records: ``launch``, ``resume`` or ``confirm``.
            allowed: Changes that the user accepted, for the provenance.

        Raises:
            ServiceError: Ray cannot be reached, the connection to it was lost, or a node is unsuitable for the study.
            UsageError: A trial needs more resources than the cluster has.
        """
        study = self._study
        study.store.set_study_attribute(StudyAttribute.UNTIL, self._until)
        with self._signals, self._tracker:
            study.store.identity()  # created by the driver, before other processes can ask for it
            provenance.note(study.directory, action, study.config.digest(), list(allowed))
            if any(phase.is_open() for phase in self._phases) and not self._stopping():
                self._connect_and_train()
            self._conclude()
            self._limits.note()
        return self._ending()

    def _connect_and_train(self) -> None:
        with (
            ray_connection(self._address) as cluster,
            Progress(self._study, self._phases, self._console) as progress,
        ):
            self._signals.listen()
            share = wait_for_share(self._study.config, cluster, self._stopping, progress.note)
            self._tracker.start()
            if share is not None:
                self._train(cluster, share, progress)

    def _train(self, cluster: Cluster, share: Share, progress: Progress) -> None:
        with self._examined(progress.note) as examined:
            listener = progress if self._events is None else Listeners([progress, Events(self._events, progress.note)])
            exclusion = self._exclusion(listener)
            share, kinds = self._packed(share, exclusion, progress.note)
            requirements = examined and replace(examined, gpu_kinds=kinds)
            at_once = number_of(share.concurrent, "trial")
            progress.note(f"{self._study.config.name}: {at_once} at once on {connected()}")
            dispatcher = self._dispatcher(share, listener)
            dispatcher.recover()
            with self._watch(cluster, share, dispatcher, exclusion, progress.note):
                self._tune(dispatcher, share, exclusion, requirements)
        if exclusion is not None and self._signals.received is None:  # after a signal, Ray may be gone
            for node, count in exclusion.ended.most_common():
                progress.note(f"runs on node {placement.address_of(node)}: {count}")

    @property
    def _is_local(self) -> bool:
        return ray_address(self._address) == LOCAL

    @contextlib.contextmanager
    def _examined(self, say: Callable[[str], None]) -> Iterator[Requirements | None]:
        """Examines the nodes of a cluster and yields the requirements for nodes that join later.

        Yields None for a local Ray, whose only node is this machine.
        """
        if self._is_local:
            yield None
            return
        config = self._study.config
        with contextlib.nullcontext() if config.artifacts else marker_file(self._study.directory) as mark:
            for line in nodes.examine(mark, config.artifacts.uri if config.artifacts else None):
                say(line)
            yield Requirements(provenance.code_digest(), mark, config.dataset)

    def _exclusion(self, listener: Listener) -> Exclusion | None:
        """Returns the record that excludes nodes; None for a local Ray, which has one node."""
        store = self._study.store
        store.set_study_attribute(StudyAttribute.EXCLUDED_NODES, [])
        if self._is_local:
            return None

        def exclude(node: str, reason: str) -> None:
            found = {"node": placement.address_of(node), "reason": reason}
            known = store.attribute(StudyAttribute.EXCLUDED_NODES)
            store.set_study_attribute(StudyAttribute.EXCLUDED_NODES, [*known, found])
            listener.left_out(**found)

        return Exclusion(exclude)

    def _packed(
        self, share: Share, exclusion: Exclusion | None, say: Callable[[str], None]
    ) -> tuple[Share, frozenset[str] | None]:
        """Returns the resources of a trial, measured if the study asks for it, and the kinds of GPU that they suit."""
        config, store = self._study.config, self._study.store
        if config.resources.packing == "none":
            return share, None
        refuse = (lambda *_: None) if exclusion is None else exclusion.node_refused  # a single node raises instead
        return gpu_packing.packed_share(config, store, share, stopping=self._stopping, refuse=refuse, say=say)

    def _dispatcher(self, share: Share, listener: Listener) -> Dispatcher:
        return Dispatcher(
            self._study.store,
            self._phases,
            max_concurrent=share.concurrent,
            retries=self._study.config.resources.retries,
            prunes=self._study.config.search.scheduler.name in pruning.RULES,
            stopping=self._stopping,
            limits=self._limits,
            reuse=Reuse(self._study),
            listener=listener,
        )

    def _watch(
        self,
        cluster: Cluster,
        share: Share,
        dispatcher: Dispatcher,
        exclusion: Exclusion | None,
        say: Callable[[str], None],
    ) -> ClusterWatch:
        """Returns the watch that adapts the number of concurrent runs to the nodes of the cluster."""

        def fit(nodes: Sequence[Node]) -> None:
            most = self._study.config.resources.max_concurrent
            dispatcher.max_concurrent = concurrent_on(nodes, share, most, grows=cluster.grows)

        return ClusterWatch(
            self._study.directory,
            share,
            excluded=lambda: () if exclusion is None else exclusion.excluded,
            stopped=lambda: self._signals.received,
            on_nodes=fit,
            say=say,
            on_exit=lambda: self._tracker.end(limit=LAST_SECONDS),
        )

    def _tune(
        self, dispatcher: Dispatcher, share: Share, exclusion: Exclusion | None, requirements: Requirements | None
    ) -> None:
        """Lets Ray Tune carry out the dispatcher's runs."""
        from ray import tune
        from ray.exceptions import RayError

        from study.driver.ray_scheduler import StudyScheduler
        from study.driver.ray_searcher import StudySearcher
        from trainables.tune import StudyTrainable

        study = self._study
        pruner = pruning.pruner_of(study)
        searcher = StudySearcher(dispatcher, pruner, exclusion, requirements)
        with tempfile.TemporaryDirectory(prefix="cskd-tune-") as disposable:
            tuner = tune.Tuner(
                tune.with_resources(self._trainable or StudyTrainable, partial(placement.request, share)),
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
                if self._signals.received is None:
                    tuner.fit()
            except RayError as error:
                if self._signals.received is not None:  # the same signal ended Ray
                    return
                raise ServiceError(
                    f"the connection to Ray was lost: {str(error).splitlines()[0]}; "
                    f"continue with `cskd resume {study.directory}`"
                ) from error
        if searcher.error is not None:
            raise searcher.error

    def _conclude(self) -> None:
        """Writes the results and brings MLflow up to date; an interrupted driver skips the report and waits less."""
        interrupted = self._signals.received is not None
        limit = LAST_SECONDS if interrupted else math.inf
        self._tracker.start()
        self._tracker.catch_up(PATIENCE_SECONDS, limit)  # the results name each run's MLflow id
        if interrupted:
            result_files.write_results(self._study)
        else:
            result_files.write_all(self._study)
        self._tracker.end(PATIENCE_SECONDS, limit)

    def _ending(self) -> Ending:
        store, interrupted = self._study.store, self._signals.received
        states = {phase.name: [trial.state.name for trial in store.trials(phase.name)] for phase in self._phases}
        failed = sum(names.count("FAIL") for names in states.values())
        unfinished = interrupted is None and any("RUNNING" in names for names in states.values())
        return Ending(interrupted, states["search"].count("COMPLETE"), failed, self._until, unfinished)
