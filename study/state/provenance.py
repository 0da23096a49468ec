"""Records the provenance of results: versions, commit, digests and command, one line per launch or resume."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from trainables.files import sealed_json
from trainables.files.durable import append_json_line, digest_of, read_json_lines, sha256_of

FILE_NAME = "provenance.jsonl"
LIBRARIES = ("torch", "torchvision", "ray", "optuna", "numpy", "pyarrow", "pandas", "scipy", "scikit-learn")
CODE = Path(__file__).resolve().parents[2]


def code_digest() -> str:
    """Returns the digest of the code that determines a run's outcome: ``trainables`` and ``search_spaces``."""
    files = sorted(path for package in ("trainables", "search_spaces") for path in (CODE / package).rglob("*.py"))
    return digest_of({str(path.relative_to(CODE)): sha256_of(path.read_bytes()) for path in files})


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the libraries that affect results."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = "missing"
    return found


def git_commit() -> str | None:
    """Returns the commit of the code, with ``+changes`` if the working tree differs; None outside a Git checkout."""
    if not (CODE / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(CODE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def note(directory: Path, action: str, study_digest: str, allowed: list[str]) -> None:
    """Appends a line about the driver that starts.

    Args:
        directory: Directory of the study.
        action: ``launch``, ``resume`` or ``confirm``.
        study_digest: Digest of the resolved study file.
        allowed: Changes that ``--allow-changed`` permits.
    """
    line = {
        "time": time.time(),
        "action": action,
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "command": shlex.join(["cskd", *sys.argv[1:]]),
        "commit": git_commit(),
        "versions": versions(),
        "digests": {"study": study_digest, "code": code_digest()},
        "allowed": allowed,
    }
    append_json_line(directory / FILE_NAME, line)


def notes(directory: Path) -> list[dict[str, Any]]:
    """Returns all lines of a study, the launch first."""
    return list(read_json_lines(directory / FILE_NAME))


def is_damaged(directory: Path) -> bool:
    """Returns whether a complete line was damaged later, so that the readable lines may be incomplete."""
    path = directory / FILE_NAME
    return path.exists() and any(map(sealed_json.is_damaged, path.read_bytes().split(b"\n")))
