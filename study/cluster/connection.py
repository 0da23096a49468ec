"""Where things are: folders, the machine's cores and accelerators, the connection to Ray."""

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
    "RAY_AIR_NEW_OUTPUT": "0",  # Ray's reports would bury ours
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # we stop a study ourselves
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # a run keeps its own log; Ray's copies cost time for each epoch
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # confirmations have no validation metric for a scheduler to see
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a trial without a GPU must not change what its process sees
}

LOCAL_RAY_SETTINGS = {"RAY_AUTH_MODE": "token"}  # who reaches Ray runs code; it makes a token where there is none


def cluster_address(address: str) -> tuple[str, int]:
    """Host and port of a cluster's head.

    Raises:
        UsageError: The address is ``auto``, of Ray Client, or no ``host:port``.

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


def why_silent(host: str, port: int) -> str | None:
    """Why nobody answers at a port; None when somebody does."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except (OSError, UnicodeError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None


def ray_address(given: str | None) -> str:
    """Where Ray is: the flag, else ``RAY_ADDRESS``, else ``local``; of a cluster somebody answers there.

    Ray itself would go on asking for many minutes.

    Raises:
        UsageError: As ``cluster_address``.
        ServiceError: Nobody answers.
    """
    address = given or os.environ.get("RAY_ADDRESS") or LOCAL
    if address == LOCAL:
        return address
    host, port = cluster_address(address)
    if reason := why_silent(host, port):
        raise ServiceError(f"Ray at {host}:{port} cannot be reached: {reason}; `cskd doctor` says more")
    return address


@contextlib.contextmanager
def ray_connection(address: str | None) -> Iterator[Cluster]:
    """Connects to Ray and disconnects at the end.

    Args:
        address: ``local`` starts a Ray of our own that ends with this process; ``host:port`` joins a running cluster,
            whose nodes must share the study directory. None takes ``RAY_ADDRESS``, else ``local``. A cluster that
            happens to run here is never joined.

    Raises:
        UsageError: The address is ``auto``, of Ray Client, or malformed.
        ConfigError: ``CSKD_DATA`` names no place for data.
        ServiceError: The cluster cannot be reached.
    """
    address = ray_address(address)
    os.environ |= RAY_SETTINGS | (LOCAL_RAY_SETTINGS if address == LOCAL else {})
    if os.environ.get(places.VARIABLE):  # workers have working directories of their own
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
        except Exception as error:  # of a start that takes too long it is a bare one
            reason = str(error).splitlines()[0]
            raise ServiceError(f"Ray at {address} cannot be reached: {reason}") from error
        try:
            yield inventory.connected()
        finally:
            ray.shutdown()


def _keep_secrets_from_logs() -> None:
    """Ray Tune hands cloud keys to workers in a runtime environment, which Ray logs; a node has keys of its own."""
    from ray.tune.execution import class_cache

    getattr(class_cache, "ENV_VARS_TO_PROPAGATE", set()).difference_update(CLOUD_SECRETS)


def _let_ray_read_its_settings() -> None:
    """Ray reads whether to ask for a token when it is imported, which a script may have done before us."""
    # As Ray's own tests do: there is no public way.
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder for Ray, locked by its owner; those whose owner was killed are removed with what still runs in them."""
    place = Path("/tmp")  # noqa: S108 - Ray's socket paths end at 107 bytes, so this is short, whatever TMPDIR is
    for owned in place.glob(f"{RAY_FOLDER}*/{OWNER}"):
        with contextlib.suppress(Timeout, OSError), FileLock(owned, timeout=0):
            _end_processes_in(owned.parent)
            shutil.rmtree(owned.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=RAY_FOLDER, dir=place))
    with FileLock(folder / OWNER):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _end_processes_in(folder: Path) -> None:
    """Ends what a killed driver's Ray has left: workers outlive it by ten seconds, its agents sometimes by minutes.

    Ray renames its processes, so they are known by their log files, which are open in the driver's folder.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended, or is not ours
            opened = (file.readlink() for file in (process / "fd").iterdir())
            if process.name != str(os.getpid()) and any(name.is_relative_to(folder) for name in opened):
                os.kill(int(process.name), signal.SIGKILL)
