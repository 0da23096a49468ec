"""Simulated machines: network namespaces with separate addresses, on a bridge whose links can be cut."""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

PREFIX = "cskd"
SUBNET = "10.77.0"


def possible() -> bool:
    """Returns whether this process can create network namespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"{PREFIX}probe"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode == 0
    subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    return made


class Network:
    """Bridge in a separate namespace and the machines connected to it; ``close`` removes all of them."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self._switch = f"{PREFIX}switch"
        self._processes: list[subprocess.Popen] = []
        self._remove_namespaces()
        _ip("netns", "add", self._switch)
        self._in_switch("link", "add", "bridge", "type", "bridge")
        self._in_switch("link", "set", "bridge", "up")

    def add(self, name: str) -> str:
        """Adds a machine and returns its address."""
        address = f"{SUBNET}.{len(self.addresses) + 2}"
        namespace, inside = f"{PREFIX}{name}", f"{PREFIX}-{name}"
        _ip("netns", "add", namespace)
        _ip("link", "add", inside, "type", "veth", "peer", "name", name, "netns", self._switch)
        _ip("link", "set", inside, "netns", namespace)
        self._in_switch("link", "set", name, "master", "bridge")
        self._in_switch("link", "set", name, "up")
        for arguments in (
            ("addr", "add", f"{address}/24", "dev", inside),
            ("link", "set", inside, "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", namespace, *arguments)
        self.addresses[name] = address
        return address

    def cut(self, name: str) -> None:
        """Disconnects a machine from the network; its processes continue."""
        self._in_switch("link", "set", name, "down")

    def mend(self, name: str) -> None:
        self._in_switch("link", "set", name, "up")

    def start(self, name: str, *command: object, log: Path, environment: dict[str, str]) -> subprocess.Popen:
        """Starts a process on a machine, in a new session."""
        with log.open("ab") as file:
            process = subprocess.Popen(
                ["ip", "netns", "exec", f"{PREFIX}{name}", *map(str, command)],
                env=os.environ | environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def processes(self, name: str) -> list[int]:
        """Returns the ids of the processes on a machine."""
        return [int(number) for number in _ip("netns", "pids", f"{PREFIX}{name}").split()]

    def kill(self, name: str) -> None:
        """Kills all processes of a machine, as a power failure does."""
        for number in self.processes(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    def close(self) -> None:
        for name in self.addresses:
            self.kill(name)
        for process in self._processes:
            process.wait()
        self._remove_namespaces()

    def _in_switch(self, *arguments: str) -> None:
        _ip("-n", self._switch, *arguments)

    @staticmethod
    def _remove_namespaces() -> None:
        """Removes all namespaces, including those of a killed test run."""
        for line in _ip("netns", "list").splitlines():
            if line.startswith(PREFIX):
                _ip("netns", "del", line.split()[0])


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout
