"""Study files with any mistake, and what a mistake looks like from the outside."""

import copy
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import STUDY

from study import config as study_config
from study.config import StudyConfig, build
from study.errors import StudyFileError

TOY = yaml.safe_load(STUDY)


def paths_of(value, path=()) -> list[tuple]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(found for key, item in below for found in paths_of(item, (*path, key)))]


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 5)
    | st.sampled_from([10**30, -(10**30), 1e300, 1e-300, float("nan"), float("inf"), b"x", "1e-3", "auto", "cs_kd"])
    | st.text(max_size=5)
)
junk = st.recursive(
    scalars,
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "low", "high", "choices", "step", "log", "method", "x"]), below)
    ),
    max_leaves=5,
)


@given(st.lists(st.tuples(st.sampled_from(paths_of(TOY)), st.sampled_from(["put", "drop", "add"]), junk), max_size=3))
@settings(max_examples=200, deadline=None)
def test_any_edit_gives_a_study_or_clean_errors(edits) -> None:
    content = copy.deepcopy(TOY)
    for (*parents, last), action, value in edits:
        place = content
        try:
            for parent in parents:
                place = place[parent]
            if action == "put":
                place[last] = value
            elif action == "drop":
                del place[last]
            else:
                place["extra"] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier edit took the place away
    found = built_or_refused(content)
    if isinstance(found, StudyConfig):
        assert build(found.resolved(), "x").resolved() == found.resolved()
        assert found.planned_trials(found.search.trials) >= 1
        assert len([found.control_config(number) for number in range(len(found.controls))]) == len(found.controls)
    else:
        assert all(line.startswith("x: ") for line in found.split("\n"))


def built_or_refused(content: dict) -> StudyConfig | str:
    try:
        return build(content, "x")
    except StudyFileError as error:
        return str(error)


def test_checking_a_study_file_imports_neither_torch_nor_ray() -> None:
    heavy = "{'torch', 'ray', 'mlflow'} & set(sys.modules)"
    code = f"import sys; from study import config; config.load('digits'); print(*{heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(("text", "mistakes"), [("", 1), (STUDY.replace("epochs", "epoch"), 1), ("name: ../x\n", 4)])
def test_launching_a_wrong_file_is_a_line_a_mistake_at_once_and_leaves_nothing(
    tmp_path: Path, text: str, mistakes: int
) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    command = [sys.executable, "-m", "study.cli", "launch", "bad.yaml"]
    start = time.monotonic()
    path = os.pathsep.join([str(Path(study_config.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert time.monotonic() - start < 5  # a second on a quiet machine
    assert done.returncode == 64
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("cskd: bad.yaml")
    assert len(lines) == mistakes
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]
