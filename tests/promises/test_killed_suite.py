"""A test process that is killed leaves no server behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.kit.paths import ROOT
from tests.kit.patience import patience

TEST = """
import subprocess, sys, time
from tests.kit.servers import guardian
guardian.start()
server = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(server.pid, flush=True)
time.sleep(600)
"""


def test_its_servers_end_with_it(tmp_path: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-c", TEST], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    server = psutil.Process(int(killed.stdout.readline()))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    end = time.monotonic() + patience(20)
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE and time.monotonic() < end:
        time.sleep(0.2)
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
