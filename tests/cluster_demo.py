"""Runs a study on a local Ray cluster of three nodes and kills a node in the middle: ``make cluster-demo``.

The cluster requires a random token, listens on free ports, and ends with this process.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

BIN = Path(sys.executable).parent
REPOSITORY = Path(__file__).parents[1]
STORAGE = REPOSITORY / "runs" / "cluster-demo"
START_SECONDS = 120
STUDY = ("digits", "--set", "search.trials=8", "--set", "training.epochs=12", "--set", "search.sampler.name=random")


def main() -> int:
    """Runs the demo; returns 0 if the study is complete and verified."""
    shutil.rmtree(STORAGE, ignore_errors=True)
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "OMP_NUM_THREADS": "1"}
    os.environ |= token | {"PYTHONPATH": str(REPOSITORY)}
    address = f"127.0.0.1:{_free_port()}"
    with tempfile.TemporaryDirectory(prefix="cskd-demo-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        _say(f"a head without CPUs at {address}, and two nodes with one CPU each")
        with _node(Path(folder), "head", "--head", f"--port={address.rpartition(':')[2]}", "--num-cpus=0"):
            options = (f"--address={address}", "--num-cpus=1")
            with _node(Path(folder), "one", *options), _node(Path(folder), "two", *options) as second:
                return _study(address, second)


def _study(address: str, doomed: psutil.Process) -> int:
    """Launches the study, kills a node once trials have ended on both, and verifies the study."""
    launch = [BIN / "cskd", "launch", *STUDY, "--storage", STORAGE, "--address", address]
    _say(f"cskd {' '.join(map(str, launch[1:]))}")
    driver = subprocess.Popen(launch, stdout=subprocess.PIPE, text=True)
    ended = 0
    assert driver.stdout is not None
    for line in driver.stdout:
        print(line, end="", flush=True)
        ended += ": COMPLETE" in line
        if ended == 3 and doomed.is_running():
            _say("killing the second node")
            _kill(doomed)
    code = driver.wait()
    _say(f"cskd verify {STORAGE / 'digits'}")
    return code or subprocess.run([BIN / "cskd", "verify", STORAGE / "digits"], check=False).returncode


@contextlib.contextmanager
def _node(folder: Path, name: str, *arguments: str) -> Iterator[psutil.Process]:
    """Starts a node in a new session with free ports; kills it and its children on exit."""
    log = folder / f"{name}.log"
    command = [BIN / "ray", "start", "--block", "--disable-usage-stats", *arguments]
    command += ["--min-worker-port=0", "--max-worker-port=0", f"--dashboard-agent-listen-port={_free_port()}"]
    if "--head" in arguments:
        command += ["--include-dashboard=false", f"--temp-dir={folder}"]
    with log.open("wb") as file:
        started = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    process = psutil.Process(started.pid)
    try:
        _await(started, log)
        yield process
    finally:
        _kill(process)
        started.wait()


def _await(started: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while "Ray runtime started" not in log.read_text():
        if started.poll() is not None or time.monotonic() > end:
            sys.exit(f"Ray did not start:\n{log.read_text()}")
        time.sleep(0.2)


def _kill(process: psutil.Process) -> None:
    """Kills a process and all its children at once, as a power failure does."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for each in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _say(text: str) -> None:
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
