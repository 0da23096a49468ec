"""Runs a study on a real file system that is full at one write after another: nothing is lost.

The file system is a small tmpfs in a separate mount namespace, which grows after each failure.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.paths import PYTHON_PATH

FIRST_KIB = 260
STEP_KIB = 16


def resize(folder: Path, kibibytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kibibytes}k", str(folder)], check=True)


def attempt(folder: Path) -> tuple[int, str]:
    """Starts or resumes the study and runs it to its end; returns exit code and message."""
    from study.commands.exit_codes import code_and_lines
    from study.definition import yaml_reader
    from study.definition.loading import build
    from study.state import directory
    from study.state.directory import open_study
    from tests.kit.fakes.executor import Executor
    from tests.kit.fakes.toy import STUDY

    content = yaml_reader.parse(STUDY.encode(), "toy")
    for name, value in {"training.epochs": 2, "search.trials": 4, "confirm.seeds": [1]}.items():
        yaml_reader.override(content, name, value)
    config = build(content, "toy")
    try:
        if not (folder / "toy" / "study.yaml").exists():
            directory.create(config, folder)
        with open_study(folder / "toy") as study:
            Executor(study).run()
    except Exception as error:
        code, lines = code_and_lines(error)
        return code, lines[0]
    return 0, ""


def main(small: Path, large: Path) -> None:
    """Enlarges the file system step by step until the study is done; compares it with a study on a large one."""
    from analysis.records import result_files
    from study.machine import free_space
    from tests.kit.faults.oracle import finished_runs, verify_study

    free_space.LEAST_BYTES = 0  # disables the check of free space, so that writes fail
    errors, size, finished = [], FIRST_KIB, {}
    while True:
        code, line = attempt(small)
        if code == 0:
            break
        errors.append((code, line))
        after = finished_runs(small / "toy") if (small / "toy").exists() else {}
        assert {path: after[path] for path in finished} == finished  # V2
        finished = {path: content for path, content in after.items() if content}
        size += STEP_KIB
        resize(small, size)
    assert attempt(large) == (0, "")
    counts = verify_study(small / "toy")
    verify_study(large / "toy")
    values = [
        sorted(result_files.read(folder / "toy" / "results").trials["validation/top1_error"].dropna())
        for folder in (small, large)
    ]
    print(json.dumps({"errors": errors, "same": values[0] == values[1], "trials": counts["trials"]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.fault(17)
@pytest.mark.timeout(120)
def test_a_study_survives_a_full_disk_at_any_write(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.mkdir()
    large.mkdir()
    mount = f'mount -t tmpfs -o size={FIRST_KIB}k none "$1" && exec "$0" "$2" "$1" "$3"'
    command = ["unshare", "-m", "sh", "-c", mount, sys.executable, str(small), __file__, str(large)]
    if subprocess.run(
        [*command[:4], 'mount -t tmpfs none "$0"', str(small)], capture_output=True, check=False
    ).returncode:
        pytest.skip("this user may not mount a file system")
    environment = os.environ | {"PYTHONPATH": PYTHON_PATH}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found["errors"]) >= 5
    for code, line in found["errors"]:
        assert code == 74, line
        assert str(small) in line
        assert "No space left on device, " in line
        assert line.endswith(" bytes are free; free some space, then resume")
    assert found["same"]
    assert found["trials"] == 4 + 1 + 2
