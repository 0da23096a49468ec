"""Where results come from: versions, commit, digests and the command, one line per launch or resume."""

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
    """Digest of the code that decides a run's outcome: trainables and search spaces."""
    files = sorted(path for package in ("trainables", "search_spaces") for path in (CODE / package).rglob("*.py"))
    return digest_of({str(path.relative_to(CODE)): sha256_of(path.read_bytes()) for path in files})


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide results."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = "missing"
    return found


def git_commit() -> str | None:
    """Commit of the code, with ``+changes`` when the tree differs from it; None outside of a checkout."""
    if not (CODE / ".git").exists():
        return None

    def git(*words: str) -> str:
        command = ["git", "-C", str(CODE), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def note(directory: Path, action: str, study_digest: str, allowed: list[str]) -> None:
    """Appends a line: who runs the study from now on, with what.

    Args:
        directory: The study directory.
        action: ``launch``, ``resume`` or ``confirm``.
        study_digest: Of the resolved study file.
        allowed: What ``--allow-changed`` let pass.
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
    """All lines of a study, the launch first."""
    return list(read_json_lines(directory / FILE_NAME))


def is_damaged(directory: Path) -> bool:
    """Whether a line of a study was whole once and is not now, so that the others do not tell all."""
    path = directory / FILE_NAME
    return path.exists() and any(map(sealed_json.is_damaged, path.read_bytes().split(b"\n")))
