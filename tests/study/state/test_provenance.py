"""Tests the recorded provenance of code and machine."""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from study.state import provenance


def test_notes_are_lines_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["cskd", "launch", "my study.yaml"])
    assert provenance.notes(tmp_path) == []
    provenance.note(tmp_path, "launch", "abc", [])
    provenance.note(tmp_path, "resume", "abc", ["code"])
    first, second = provenance.notes(tmp_path)
    assert (first["action"], first["allowed"], second["action"], second["allowed"]) == (
        "launch",
        [],
        "resume",
        ["code"],
    )
    assert first["command"] == "cskd launch 'my study.yaml'"
    assert first["digests"] == {"study": "abc", "code": provenance.code_digest()}
    assert first["versions"]["python"] == platform.python_version()
    assert set(first["versions"]) == {"python", *provenance.LIBRARIES}
    assert "missing" not in first["versions"].values()
    assert first["commit"] is None or re.fullmatch(r"[0-9a-f]{40}(\+changes)?", first["commit"])


def test_the_code_digest_depends_on_the_code_that_determines_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("trainables", "search_spaces"):
        shutil.copytree(provenance.CODE / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    original = provenance.code_digest()
    monkeypatch.setattr(provenance, "CODE", tmp_path)
    assert provenance.code_digest() == original  # independent of the location
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis/new.py").write_text("x = 1\n")
    (tmp_path / "trainables/notes.txt").write_text("x")
    assert provenance.code_digest() == original
    with (tmp_path / "trainables/losses/softened_kl.py").open("a") as file:
        file.write("# changed\n")
    changed = provenance.code_digest()
    assert changed != original
    (tmp_path / "trainables/methods/mine.py").write_text("")
    assert provenance.code_digest() not in (original, changed)


def test_the_commit_is_marked_when_the_tree_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "CODE", tmp_path)
    assert provenance.git_commit() is None  # outside a Git checkout
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    (tmp_path / "a.py").write_text("1")
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    clean = provenance.git_commit()
    assert re.fullmatch(r"[0-9a-f]{40}", clean)
    (tmp_path / "a.py").write_text("2")
    assert provenance.git_commit() == f"{clean}+changes"
