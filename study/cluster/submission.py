"""Hands a study to a cluster through Ray's job API: our code and the study file go there, its log comes back."""

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

from study.definition import yaml_reader
from study.errors import ServiceError, UsageError, without_password
from study.state.provenance import CODE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from study.definition.study_config import StudyConfig

PACKAGES = ("study", "trainables", "search_spaces", "analysis")
STUDY_FILE = "study.yaml"
PASSED_ON = ("CSKD_DATA", "OMP_NUM_THREADS")  # a job's environment is shown on the dashboard: no secret goes with it
START_SECONDS = 60
TALKATIVE = (
    "ray._private.runtime_env.packaging",
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
)
ENDED = ("STOPPED", "SUCCEEDED", "FAILED")


class Jobs:
    """The jobs of a cluster.

    Args:
        address: ``http://host:8265`` of its dashboard; a token is taken from where Ray looks for one
            (``RAY_AUTH_MODE=token`` with ``RAY_AUTH_TOKEN`` or ``RAY_AUTH_TOKEN_PATH``).

    Raises:
        UsageError: The address is none.
        ServiceError: Nobody answers, or the cluster wants another token.
    """

    def __init__(self, address: str) -> None:
        if not address.startswith(("http://", "https://")):
            raise UsageError(f"--address {address}: give http://HOST:8265, the dashboard of the cluster's head")
        self.address = address.rstrip("/")
        with self._translated():
            from ray.job_submission import JobSubmissionClient

            for name in TALKATIVE:
                logging.getLogger(name).setLevel(logging.ERROR)
            self._client = JobSubmissionClient(self.address)

    def launch(self, config: StudyConfig, storage: str) -> str:
        """Submits the launch of a study.

        Args:
            config: The study; its resolved file goes along.
            storage: Folder of the study directories, on the cluster.

        Returns:
            The job's name.
        """
        words = ["launch", STUDY_FILE, "--storage", on_cluster(storage)]
        return self._submit(words, {STUDY_FILE: yaml_reader.dump(config.resolved())})

    def resume(self, directory: str) -> str:
        """Submits the resume of a study directory on the cluster; returns the job's name."""
        return self._submit(["resume", on_cluster(directory)], {})

    def follow(self, job: str, say: Callable[[str], None]) -> int:
        """Says what a job prints until it ends; may be left and taken up again.

        Args:
            job: Its name.
            say: Takes each piece of its output.

        Returns:
            The exit code of its driver; 1 where the job never had one.

        Raises:
            ServiceError: There is no such job, or the cluster is gone.
        """
        from aiohttp import ClientError

        async def pieces() -> None:
            try:
                async for piece in self._client.tail_job_logs(job):
                    say(piece)
            except ClientError as error:
                raise ConnectionError(f"the log of {job} broke off: {error}") from error

        with self._translated():
            self._client.get_job_info(job)  # a job that is not there is told better by this than by its log
            asyncio.run(pieces())
            found = self._client.get_job_info(job)
        if found.status not in ENDED:
            raise ServiceError(f"{self.address}: the log of {job} ended while it is {found.status}; follow it again")
        return found.driver_exit_code if found.driver_exit_code is not None else 1

    def _submit(self, words: Sequence[str], files: dict[str, bytes]) -> str:
        with _folder_of_code() as folder, self._translated():
            for name, content in files.items():
                (folder / name).write_bytes(content)
            environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
            job = {
                "entrypoint": shlex.join(["python", "-m", "study.cli", *words]),
                "runtime_env": {"working_dir": str(folder), "env_vars": {"COLUMNS": "120", **environment}},
            }
            return self._accepted(job)

    def _accepted(self, job: dict[str, Any]) -> str:
        """Submits a job; a head that has just started answers some seconds before it takes jobs."""
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
    """A path on the cluster, which this machine cannot make absolute.

    Raises:
        UsageError: It is relative.
    """
    if not PurePosixPath(path).is_absolute():
        raise UsageError(
            f"{path}: is a folder on the cluster, shared by its nodes; give it from the root, such as /shared/runs"
        )
    return path


@contextlib.contextmanager
def _folder_of_code() -> Iterator[Path]:
    """A copy of our packages alone: what lies beside them, such as data and results, does not travel."""
    with tempfile.TemporaryDirectory(prefix="cskd-job-") as temporary:
        for package in PACKAGES:
            shutil.copytree(CODE / package, Path(temporary) / package, ignore=shutil.ignore_patterns("__pycache__"))
        yield Path(temporary)
