"""Tests of `cskd launch` with an invalid study file; test_any_study_file.py tests arbitrary mistakes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.kit.fakes.toy import STUDY
from tests.kit.patience import patience


def test_checking_a_study_file_imports_neither_torch_nor_ray() -> None:
    heavy = "{'torch', 'ray', 'mlflow'} & set(sys.modules)"
    code = f"import sys; from study.definition import loading; loading.load('digits'); print(*{heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(("text", "mistakes"), [("", 1), (STUDY.replace("epochs", "epoch"), 1), ("name: ../x\n", 4)])
def test_launching_an_invalid_file_prints_one_line_per_mistake_and_leaves_no_files(
    tmp_path: Path, text: str, mistakes: int
) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    command = [sys.executable, "-m", "study.cli", "launch", "bad.yaml"]
    start = time.monotonic()
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert time.monotonic() - start < patience(5)  # about one second on an idle machine
    assert done.returncode == 64
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("cskd: bad.yaml")
    assert len(lines) == mistakes
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]
