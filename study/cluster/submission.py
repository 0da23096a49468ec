"""Submits a study to a cluster through Ray's job API: uploads the code and the study file, and streams the log back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shlex
import shutil
import tempfile
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from analysis.words.safe_text import without_password
from study.definition import yaml_reader
from study.errors import ServiceError, UsageError
from study.state.provenance import CODE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from study.definition.study_config import StudyConfig

PACKAGES = ("study", "trainables", "search_spaces", "analysis")
STUDY_FILE = "study.yaml"
PASSED_VARIABLES = ("CSKD_DATA", "OMP_NUM_THREADS")  # no secrets: the dashboard shows a job's environment
START_SECONDS = 60
NOISY_LOGGERS = (
    "ray._private.runtime_env.packaging",
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
)
ENDED = ("STOPPED", "SUCCEEDED", "FAILED")


class Jobs:
    """Client for the jobs of a cluster.

    Args:
        address: Address of the cluster's dashboard, ``http://host:8265``. Ray reads the token from the environment
            (``RAY_AUTH_MODE=token`` with ``RAY_AUTH_TOKEN`` or ``RAY_AUTH_TOKEN_PATH``).

    Raises:
        UsageError: The address is not an HTTP URL.
        ServiceError: The dashboard does not answer, or rejects the token.
    """

    def __init__(self, address: str) -> None:
        if not address.startswith(("http://", "https://")):
            raise UsageError(f"--address {address}: give http://HOST:8265, the dashboard of the cluster's head")
        self.address = address.rstrip("/")
        with self._translated():
            from ray.job_submission import JobSubmissionClient

            for name in NOISY_LOGGERS:
                logging.getLogger(name).setLevel(logging.ERROR)
            self._client = JobSubmissionClient(self.address)

    def launch(self, config: StudyConfig, storage: str) -> str:
        """Submits the launch of a study.

        Args:
            config: Configuration of the study; its resolved study file is uploaded.
            storage: Folder of the study directories, on the cluster.

        Returns:
            The name of the job.
        """
        arguments = ["launch", STUDY_FILE, "--storage", on_cluster(storage)]
        return self._submit(arguments, {STUDY_FILE: yaml_reader.dump(config.resolved())})

    def resume(self, directory: str) -> str:
        """Submits the resume of a study directory on the cluster; returns the name of the job."""
        return self._submit(["resume", on_cluster(directory)], {})

    def follow(self, job: str, say: Callable[[str], None]) -> int:
        """Passes on a job's output until the job ends; can be interrupted and called again.

        Args:
            job: Name of the job.
            say: Function that receives each piece of the output.

        Returns:
            The exit code of the job's driver, or 1 if the driver never started.

        Raises:
            ServiceError: The job does not exist, or the cluster cannot be reached.
        """
        from aiohttp import ClientError

        async def pieces() -> None:
            try:
                async for piece in self._client.tail_job_logs(job):
                    say(piece)
            except ClientError as error:
                raise ConnectionError(f"the log of {job} was cut off: {error}") from error

        with self._translated():
            self._client.get_job_info(job)  # gives a better error for an unknown job than its log
            asyncio.run(pieces())
            found = self._client.get_job_info(job)
        if found.status not in ENDED:
            raise ServiceError(f"{self.address}: the log of {job} ended while it is {found.status}; follow it again")
        return found.driver_exit_code if found.driver_exit_code is not None else 1

    def _submit(self, arguments: Sequence[str], files: dict[str, bytes]) -> str:
        with _folder_of_code() as folder, self._translated():
            for name, content in files.items():
                (folder / name).write_bytes(content)
            environment = {name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ}
            job = {
                "entrypoint": shlex.join(["python", "-m", "study.cli", *arguments]),
                "runtime_env": {"working_dir": str(folder), "env_vars": {"COLUMNS": "120", **environment}},
            }
            return self._submit_when_ready(job)

    def _submit_when_ready(self, job: dict[str, Any]) -> str:
        """Submits a job; retries because a head that has just started answers some seconds before it accepts jobs."""
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                return str(self._client.submit_job(**job))
            except RuntimeError as error:
                if "No available agent" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(1)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ImportError as error:
            raise ServiceError("Ray's job API is missing: pip install 'ray[default]'") from error
        except (OSError, RuntimeError, ValueError) as error:
            reason = (without_password(str(error)).strip() or type(error).__name__).splitlines()[0]
            raise ServiceError(f"{self.address}: {reason}") from error


def on_cluster(path: str) -> str:
    """Checks a path on the cluster, which this machine cannot resolve.

    Raises:
        UsageError: The path is relative.
    """
    if not PurePosixPath(path).is_absolute():
        raise UsageError(
            f"{path}: must be an absolute path of a folder that the cluster's nodes share, such as /shared/runs"
        )
    return path


@contextlib.contextmanager
def _folder_of_code() -> Iterator[Path]:
    """Creates a temporary copy of the packages, so that data and results beside them are not uploaded."""
    with tempfile.TemporaryDirectory(prefix="cskd-job-") as temporary:
        for package in PACKAGES:
            shutil.copytree(CODE / package, Path(temporary) / package, ignore=shutil.ignore_patterns("__pycache__"))
        yield Path(temporary)
