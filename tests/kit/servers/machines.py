"""Ray cluster of simulated machines with separate IP addresses, which a test can disconnect, kill and add."""

import json
import secrets
import subprocess
import sys
import time
from pathlib import Path

from tests.kit.fakes.toy import write_study
from tests.kit.faults.drivers import TOY, TRACKED
from tests.kit.paths import PYTHON_PATH, ROOT
from tests.kit.servers.namespaces import Network

RAY = Path(sys.executable).parent / "ray"
TRIALS = 6
PORT = 6379
HIDE = "mount -t tmpfs none {}"
PUT = "mount --bind {} {}"
STARTED = "Ray runtime started"
# Ray declares a silent machine dead after four seconds instead of half a minute.
HEALTH_CHECK = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 4,
}


class Machines:
    """Cluster with a head without CPUs and machines with one CPU each.

    Args:
        folder: Folder of studies and logs.
        shared: Whether the other machines share the folder; otherwise it is empty there.
        environment: Environment variables of all processes.
    """

    def __init__(self, folder: Path, *, shared: bool = True, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.network = Network()
        self._shared = shared
        self._mounts: dict[str, list[str]] = {}
        self.environment = {
            "PYTHONPATH": PYTHON_PATH,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "TOY_SECONDS": "1.0",
            "OMP_NUM_THREADS": "1",
            **(environment or {}),
        }
        head = self.network.add("head")
        self.address = f"{head}:{PORT}"
        self._ray(
            "head",
            "--head",
            f"--port={PORT}",
            "--num-cpus=0",
            "--include-dashboard=false",
            f"--system-config={json.dumps(HEALTH_CHECK)}",
        )

    def join(self, name: str, *, shared: bool = True, code: Path = ROOT) -> None:
        """Adds a machine to the cluster, for the first time or again.

        Args:
            name: Name of the machine.
            shared: Whether it shares the folder.
            code: Checkout from which it takes ``trainables``.
        """
        if name not in self.network.addresses:
            self.network.add(name)
        put = PUT.format(code / "trainables", ROOT / "trainables")
        hide = HIDE.format(self.folder)
        self._mounts[name] = [
            line for line, done in ((put, code != ROOT), (hide, not (shared and self._shared))) if done
        ]
        self._ray(name, f"--address={self.address}", "--num-cpus=1")

    def launch(self, *settings: str) -> subprocess.Popen:
        arguments = ["launch", write_study(self.folder), "--storage", self.folder, "--address", self.address]
        arguments += ["--set", f"search.trials={TRIALS}", *TRACKED, *settings]
        return self.start("head", sys.executable, *TOY, *arguments, log="driver.log")

    def log(self) -> str:
        return (self.folder / "driver.log").read_text()

    def wait_for(self, process: subprocess.Popen, text: str) -> float:
        """Waits until the driver has logged a text; returns the seconds waited."""
        begun = time.monotonic()
        while text not in self.log():
            assert process.poll() is None, self.log()
            time.sleep(0.1)
        return time.monotonic() - begun

    def _ray(self, name: str, *arguments: str) -> None:
        address = self.network.addresses[name]
        arguments = ("start", "--block", "--disable-usage-stats", f"--node-ip-address={address}", *arguments)
        log = self.folder / f"{name}.log"
        started = log.read_text().count(STARTED) if log.exists() else 0
        process = self.start(name, RAY, *arguments, log=log.name)
        while log.read_text().count(STARTED) == started:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)

    def start(self, name: str, *command: object, log: str) -> subprocess.Popen:
        """Starts a process on a machine."""
        if mounts := self._mounts.get(name):  # in the mount namespace that `ip netns exec` makes
            command = ("sh", "-c", " && ".join([*mounts, 'exec "$@"']), "machine", *command)
        return self.network.start(name, *command, log=self.folder / log, environment=self.environment)
