"""Connects to Ray: parses the cluster's address, starts or joins Ray, and cleans up after killed drivers."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from study.cluster import inventory
from study.errors import ServiceError, UsageError
from study.machine.cores import usable_cores
from study.machine.secrets import CLOUD_SECRETS
from trainables.files import places

if TYPE_CHECKING:
    from study.cluster.inventory import Cluster

LOCAL = "local"
CONNECT_SECONDS = 3
RAY_FOLDER = "cskd-ray-"
OWNER = "owner.lock"
RAY_SETTINGS = {
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",  # the dispatcher limits how many run; otherwise workers start one by one
    "RAY_AIR_NEW_OUTPUT": "0",  # Ray's reports would hide the study's progress
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # the driver handles SIGINT itself
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # a run keeps its own log; Ray's copies cost time in each epoch
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # confirmations have no validation metric for a scheduler to see
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a trial without a GPU must not change what its process sees
}

# Any client that reaches Ray can run code. Ray creates a token if there is none.
LOCAL_RAY_SETTINGS = {"RAY_AUTH_MODE": "token"}


def cluster_address(address: str) -> tuple[str, int]:
    """Returns the host and port of a cluster's head.

    Raises:
        UsageError: The address is ``auto``, a Ray Client address, or not of the form ``host:port``.

    Example:
        >>> cluster_address("head.example.org:6379")
        ('head.example.org', 6379)
    """
    if address == "auto":
        raise UsageError("--address auto would join any cluster on this machine; give local or host:port")
    if address.startswith("ray://"):
        raise UsageError(f"--address {address}: Ray Client cannot carry a study's driver; run it on the head node")
    host, _, port = address.rpartition(":")
    if (
        not re.fullmatch(r"[\w.-]+|\[[0-9a-fA-F:.]+\]", host)
        or not re.fullmatch("[0-9]{1,5}", port)
        or int(port) > 65535
    ):
        raise UsageError(f"--address {address}: give local, or host:port of the cluster's head")
    return host.strip("[]"), int(port)


def why_unreachable(host: str, port: int) -> str | None:
    """Returns why a connection to the port fails, or None if it succeeds."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except (OSError, UnicodeError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None


def ray_address(given: str | None) -> str:
    """Returns the address of Ray: the flag, else ``RAY_ADDRESS``, else ``local``.

    Connects to a cluster's address first, because Ray itself would retry for many minutes.

    Raises:
        UsageError: The address is invalid (see ``cluster_address``).
        ServiceError: The connection to the cluster's head fails.
    """
    address = given or os.environ.get("RAY_ADDRESS") or LOCAL
    if address == LOCAL:
        return address
    host, port = cluster_address(address)
    if reason := why_unreachable(host, port):
        raise ServiceError(f"Ray at {host}:{port} cannot be reached: {reason}; `cskd doctor` shows details")
    return address


@contextlib.contextmanager
def ray_connection(address: str | None) -> Iterator[Cluster]:
    """Connects to Ray and disconnects at the end.

    Args:
        address: ``local`` starts a Ray instance that ends with this process; ``host:port`` joins a running cluster.
            None means ``RAY_ADDRESS``, else ``local``. Another Ray cluster that runs on this machine is never joined
            implicitly.

    Yields:
        The nodes of the connected cluster.

    Raises:
        UsageError: The address is ``auto``, a Ray Client address, or malformed.
        ConfigError: ``CSKD_DATA`` is neither a folder nor a URI of an object store.
        ServiceError: The cluster cannot be reached.
    """
    address = ray_address(address)
    os.environ |= RAY_SETTINGS | (LOCAL_RAY_SETTINGS if address == LOCAL else {})
    if os.environ.get(places.VARIABLE):  # workers have other working directories
        os.environ[places.VARIABLE] = str(places.data_place(None))
    import ray

    _let_ray_read_its_settings()
    _keep_secrets_from_logs()
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False, "configure_logging": True}
    with _temporary_folder() as temporary:
        try:
            if address == LOCAL:
                ray.init(
                    address=LOCAL,
                    num_cpus=usable_cores(),
                    include_dashboard=False,
                    _temp_dir=str(temporary),
                    **quiet,
                )
            else:
                ray.init(address=address, **quiet)
        except Exception as error:  # Ray raises a bare Exception if its start times out
            reason = str(error).splitlines()[0]
            raise ServiceError(f"Ray at {address} cannot be reached: {reason}") from error
        try:
            yield inventory.connected()
        finally:
            ray.shutdown()


def _keep_secrets_from_logs() -> None:
    """Keeps Ray Tune from passing cloud keys to workers.

    Ray Tune puts them into a runtime environment, which Ray logs. Nodes have their own keys.
    """
    from ray.tune.execution import class_cache

    getattr(class_cache, "ENV_VARS_TO_PROPAGATE", set()).difference_update(CLOUD_SECRETS)


def _let_ray_read_its_settings() -> None:
    """Makes Ray read its authentication settings again.

    Ray reads them when it is imported, and a script may have imported it earlier.
    """
    # Ray has no public API for this; its own tests do the same.
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Creates a locked temporary folder for Ray; removes folders of killed drivers and ends their processes."""
    parent = Path("/tmp")  # noqa: S108 - not TMPDIR: Ray's socket paths may have at most 107 bytes
    for lock in parent.glob(f"{RAY_FOLDER}*/{OWNER}"):
        with contextlib.suppress(Timeout, OSError), FileLock(lock, timeout=0):
            _end_processes_in(lock.parent)
            shutil.rmtree(lock.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=RAY_FOLDER, dir=parent))
    with FileLock(folder / OWNER):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _end_processes_in(folder: Path) -> None:
    """Ends the Ray processes of a killed driver: workers outlive it by ten seconds, agents sometimes by minutes.

    Ray renames its processes, so they are found by their log files, which are open in the driver's folder.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # the process has ended, or belongs to another user
            opened = (file.readlink() for file in (process / "fd").iterdir())
            if process.name != str(os.getpid()) and any(name.is_relative_to(folder) for name in opened):
                os.kill(int(process.name), signal.SIGKILL)
