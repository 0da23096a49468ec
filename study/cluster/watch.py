"""Looks after the cluster while a study runs: says when no node is left for its trials, and when its head is gone."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from analysis.words.units import size
from study.cluster.connection import why_silent
from study.cluster.placement import usable
from study.errors import ServiceError

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from study.cluster.inventory import Node
    from study.cluster.share import Share

PERIOD_SECONDS = 1.0
HEAD_PATIENCE_SECONDS = 15.0  # Ray itself ends the process after 60, without a word of what to do
LAST_PATIENCE_SECONDS = 3.0  # of a driver that was told to stop, and Ray with it, as `systemctl stop` and Slurm do


class ClusterWatch:
    """A thread beside the driver.

    Without its head a cluster cannot be told anything, and Ray's calls do not return. So the process is ended from
    here: what was told is on the disk, and ``cskd resume`` goes on with it.

    Args:
        directory: The study directory.
        share: What a trial takes.
        left_out: Ids of the nodes that get no more trials.
        stopped: The signal by which the user has asked to stop; None while nobody has.
        fit: Takes note of the nodes that trials can use now.
        say: Writes a line for the user.
        farewell: Called before the process is ended.
    """

    def __init__(
        self,
        directory: Path,
        share: Share,
        *,
        left_out: Callable[[], Sequence[str]],
        stopped: Callable[[], signal.Signals | None],
        fit: Callable[[Sequence[Node]], None],
        say: Callable[[str], None],
        farewell: Callable[[], None],
    ) -> None:
        self._directory = directory
        self._share = share
        self._left_out = left_out
        self._stopped = stopped
        self._fit = fit
        self._say = say
        self._farewell = farewell
        self._ended = threading.Event()
        self._waiting = False
        self._thread = threading.Thread(target=self._watch, name="cluster", daemon=True)

    def __enter__(self) -> ClusterWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _watch(self) -> None:
        import ray

        host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        heard = time.monotonic()
        while not self._ended.wait(PERIOD_SECONDS):
            if why_silent(host, int(port)) is None:
                heard = time.monotonic()
                self.look(ray.nodes())
            elif time.monotonic() - heard > (LAST_PATIENCE_SECONDS if self._stopped() else HEAD_PATIENCE_SECONDS):
                self._end(f"{host}:{port}")

    def look(self, nodes: Iterable[Mapping[str, Any]]) -> None:
        """Fits the study to the nodes; says, once, that none can take a trial, and once that one can again.

        Args:
            nodes: As ``ray.nodes`` describes them.
        """
        found = usable(nodes, self._share, self._left_out())
        self._fit(found)
        waiting = not found
        if waiting and not self._waiting:
            gpus = f" and {self._share.gpus:g} GPUs" if self._share.gpus else ""
            memory = f" and {size(self._share.memory)} of memory" if self._share.memory else ""
            self._say(f"no node is left with {self._share.cpus:g} CPUs{gpus}{memory}; waiting for one")
        if self._waiting and not waiting:
            self._say("a node is there again; the study goes on")
        self._waiting = waiting

    def _end(self, address: str) -> None:
        code, text = self._last_words(address)
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - nobody is left to raise it to
        self._farewell()
        os._exit(code)

    def _last_words(self, address: str) -> tuple[int, str]:
        if number := self._stopped():
            return 128 + number, f"stopped; go on with: cskd resume {self._directory}"
        lost = ServiceError(
            f"Ray at {address} was lost: its head does not answer; `cskd resume {self._directory}` goes on, "
            "with --address on another cluster"
        )
        return lost.exit_code, f"cskd: {lost}"
