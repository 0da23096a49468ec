"""Invalid inputs are rejected with one line and the documented exit code; no file is created."""

import os
import re
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.kit.faults.refused_data import CANARY, DATA_CASES
from tests.kit.faults.refused_inputs import CASES, Case

ROOT = Path(__file__).parents[2]
NUMBERS = {*range(1, 43)} - {32}  # 32 needs a Ray cluster: test_share.py and test_api.py in tests/study


LOCKS = (".driver.lock", ".cskd.lock")
PROGRESS = re.compile(r"cub200: (check|unpack) CUB_200_2011.tgz \d+ of \d+\n")
ALL = (*CASES, *DATA_CASES)


def marked(cases: Iterable[Case]) -> list[ParameterSet]:
    """Returns each case as a parameter marked with its number in the list."""
    return [
        pytest.param(case, id=f"{case.number} {case.what}", marks=pytest.mark.bad_input(int(case.number)))
        for case in cases
    ]


def tree(folder: Path) -> dict[str, bytes]:
    """Returns the content of a folder by path, except lock files and compiled Python."""
    files = {
        path: path.read_bytes() if path.is_file() and path.stat().st_size < 10**6 else b""
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }
    return {str(path): content for path, content in files.items() if path.name not in LOCKS}


def check(case: Case, code: int, out: str, err: str) -> None:
    said = (
        out if case.code == 0 else "".join(line for line in err.splitlines(keepends=True) if not PROGRESS.match(line))
    )
    assert CANARY not in out + err
    assert code == case.code, (out, err)
    assert case.says in said
    assert (err if case.code == 0 else out) == ""
    if case.code:
        assert said.startswith("cskd: ")
        assert said.count("\n") == 1, said
        assert len(said) <= 1200
    assert not {c for c in said if unicodedata.category(c)[0] == "C" or unicodedata.category(c) in ("Zl", "Zp")} - {
        "\n"
    }


def test_every_number_of_the_list_has_a_case() -> None:
    assert {int(case.number) for case in ALL} == NUMBERS


@pytest.mark.parametrize("case", marked(ALL))
def test_an_invalid_input_is_rejected_with_one_line_and_creates_nothing(
    cskd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    case.write(tmp_path)
    before = tree(tmp_path)
    check(case, *cskd(*case.arguments))
    assert tree(tmp_path) == before


@pytest.mark.parametrize("number", ["1", "6", "17", "33"])
def test_a_separate_process_rejects_an_invalid_input_quickly(tmp_path: Path, number: str) -> None:
    case = next(case for case in CASES if case.number == number)
    case.write(tmp_path)
    before = tree(tmp_path)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "study.cli", "launch", *case.arguments[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert time.monotonic() - start < 5  # a second on an idle machine: tests/benchmarks/study/refusals.py
    check(case, done.returncode, done.stdout, done.stderr)
    assert tree(tmp_path) == before
