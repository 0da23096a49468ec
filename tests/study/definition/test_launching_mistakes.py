"""What a mistake in a study file looks like from the outside; any mistake is in test_any_study_file.py."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.kit.fakes.toy import STUDY


def test_checking_a_study_file_imports_neither_torch_nor_ray() -> None:
    heavy = "{'torch', 'ray', 'mlflow'} & set(sys.modules)"
    code = f"import sys; from study.definition import loading; loading.load('digits'); print(*{heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(("text", "mistakes"), [("", 1), (STUDY.replace("epochs", "epoch"), 1), ("name: ../x\n", 4)])
def test_launching_a_wrong_file_is_a_line_a_mistake_at_once_and_leaves_nothing(
    tmp_path: Path, text: str, mistakes: int
) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    command = [sys.executable, "-m", "study.cli", "launch", "bad.yaml"]
    start = time.monotonic()
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert time.monotonic() - start < 5  # a second on a quiet machine
    assert done.returncode == 64
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("cskd: bad.yaml")
    assert len(lines) == mistakes
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]
