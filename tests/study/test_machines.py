"""A study on a Ray cluster of machines with addresses of their own: one is cut off, comes back, loses its power."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from drivers import KIT, TRACKED
from namespaces import Network, possible
from oracle import verify_study, verify_tracking
from toy import write_study

from study import cli

ROOT = Path(cli.__file__).parents[1]
RAY = Path(sys.executable).parent / "ray"
TRIALS = 6
PORT = 6379
STARTED = "Ray runtime started"
# A machine counts as lost after four silent seconds, not after half a minute.
IMPATIENT = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 4,
}

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


class Machines:
    """A head without CPUs, and machines with one each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.network = Network()
        self.environment = {
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(KIT), os.environ.get("PYTHONPATH", "")]),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "TOY_SECONDS": "1.0",
            "OMP_NUM_THREADS": "1",
        }
        head = self.network.add("head")
        self.address = f"{head}:{PORT}"
        self._ray(
            "head",
            "--head",
            f"--port={PORT}",
            "--num-cpus=0",
            "--include-dashboard=false",
            f"--system-config={json.dumps(IMPATIENT)}",
        )

    def join(self, name: str) -> None:
        """A machine joins the cluster, for the first time or again."""
        if name not in self.network.addresses:
            self.network.add(name)
        self._ray(name, f"--address={self.address}", "--num-cpus=1")

    def launch(self) -> subprocess.Popen:
        words = ["launch", write_study(self.folder), "--storage", self.folder, "--address", self.address]
        words += ["--set", f"search.trials={TRIALS}", *TRACKED]
        return self._start("head", sys.executable, KIT / "toy.py", *words, log="driver.log")

    def log(self) -> str:
        return (self.folder / "driver.log").read_text()

    def wait_for(self, process: subprocess.Popen, text: str) -> float:
        """Seconds until the driver says something."""
        begun = time.monotonic()
        while text not in self.log():
            assert process.poll() is None, self.log()
            time.sleep(0.1)
        return time.monotonic() - begun

    def _ray(self, name: str, *words: str) -> None:
        address = self.network.addresses[name]
        words = ("start", "--block", "--disable-usage-stats", f"--node-ip-address={address}", *words)
        log = self.folder / f"{name}.log"
        started = log.read_text().count(STARTED) if log.exists() else 0
        process = self._start(name, RAY, *words, log=log.name)
        while log.read_text().count(STARTED) == started:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)

    def _start(self, name: str, *command: object, log: str) -> subprocess.Popen:
        return self.network.start(name, *command, log=self.folder / log, environment=self.environment)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    if not possible():
        pytest.skip("this process may not make network namespaces (root and `ip` are needed)")
    made = Machines(tmp_path)
    yield made
    made.network.close()


def check(machines: Machines, process: subprocess.Popen) -> dict[str, int]:
    assert process.wait(200) == 0, machines.log()
    counts = verify_study(machines.folder / "toy")
    assert verify_tracking(machines.folder / "toy")["FINISHED"] == TRIALS + 1 + 4
    return counts


def test_a_machine_is_cut_off_and_comes_back(machines: Machines, record_property: Callable) -> None:
    machines.join("one")
    machines.join("two")
    process = machines.launch()
    machines.wait_for(process, "controls 0: COMPLETE")
    machines.network.cut("two")
    noticed = machines.wait_for(process, "the worker process was lost")
    machines.network.mend("two")  # its Ray has given up: it was told that it is dead
    machines.network.kill("two")
    machines.join("two")
    counts = check(machines, process)
    assert noticed < 30
    assert counts["retrained_epochs"] <= 1
    record_property("result", f"noticed after {noticed:.1f} s; {counts}")


def test_a_machine_loses_its_power_and_another_joins(machines: Machines, record_property: Callable) -> None:
    machines.join("one")
    process = machines.launch()
    machines.wait_for(process, "controls 0: COMPLETE")
    machines.network.kill("one")
    waited = machines.wait_for(process, "waiting for one")
    machines.join("three")
    counts = check(machines, process)
    record_property("result", f"said after {waited:.1f} s that no machine is left; {counts}")
