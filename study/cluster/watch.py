"""Watches the cluster while a study runs: reports when no node is left for its trials, and when its head is lost."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from analysis.words.units import size
from study.cluster.connection import why_unreachable
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
HEAD_PATIENCE_SECONDS = 15.0  # Ray itself ends the process after 60, without a hint on what to do
LAST_PATIENCE_SECONDS = 3.0  # after a stop signal that also ends Ray, as `systemctl stop` and Slurm send it


class ClusterWatch:
    """Thread that watches the cluster beside the driver.

    When the head is lost, Ray's calls do not return. The thread then ends the process; all results are on the disk, and
    ``cskd resume`` continues the study.

    Args:
        directory: Directory of the study.
        share: Resources of a trial.
        excluded: Function that returns the ids of the excluded nodes.
        stopped: Function that returns the signal that asked the driver to stop, or None.
        on_nodes: Function that is called at each look with the nodes that trials can use.
        say: Function that writes a line for the user.
        on_exit: Function that is called before the process is ended.
    """

    def __init__(
        self,
        directory: Path,
        share: Share,
        *,
        excluded: Callable[[], Sequence[str]],
        stopped: Callable[[], signal.Signals | None],
        on_nodes: Callable[[Sequence[Node]], None],
        say: Callable[[str], None],
        on_exit: Callable[[], None],
    ) -> None:
        self._directory = directory
        self._share = share
        self._excluded = excluded
        self._stopped = stopped
        self._on_nodes = on_nodes
        self._say = say
        self._on_exit = on_exit
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
        last_answer = time.monotonic()
        while not self._ended.wait(PERIOD_SECONDS):
            if why_unreachable(host, int(port)) is None:
                last_answer = time.monotonic()
                self.look(ray.nodes())
            elif time.monotonic() - last_answer > (LAST_PATIENCE_SECONDS if self._stopped() else HEAD_PATIENCE_SECONDS):
                self._end(f"{host}:{port}")

    def look(self, nodes: Iterable[Mapping[str, Any]]) -> None:
        """Passes the usable nodes on; reports once when no node can run a trial, and once when one can again.

        Args:
            nodes: Descriptions of nodes from ``ray.nodes``.
        """
        found = usable(nodes, self._share, self._excluded())
        self._on_nodes(found)
        waiting = not found
        if waiting and not self._waiting:
            gpus = f" and {self._share.gpus:g} GPUs" if self._share.gpus else ""
            memory = f" and {size(self._share.memory)} of memory" if self._share.memory else ""
            self._say(f"no node is left with {self._share.cpus:g} CPUs{gpus}{memory}; waiting for one")
        if self._waiting and not waiting:
            self._say("a node is available again; the study continues")
        self._waiting = waiting

    def _end(self, address: str) -> None:
        code, text = self._exit_code_and_text(address)
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - no caller could catch an exception
        self._on_exit()
        os._exit(code)

    def _exit_code_and_text(self, address: str) -> tuple[int, str]:
        if number := self._stopped():
            return 128 + number, f"stopped; resume with: cskd resume {self._directory}"
        lost = ServiceError(
            f"Ray at {address} was lost: its head does not answer; continue with `cskd resume {self._directory}`, "
            "or with --address on another cluster"
        )
        return lost.exit_code, f"cskd: {lost}"
