"""A study on a real file system that is full at one write after another: nothing is lost, and room is all it needs.

The file system is a small one in memory, in a mount namespace of a process of its own.
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
    """A driver from its beginning to its end; exit code and what it says."""
    from study.definition import yaml_reader
    from study.definition.loading import build
    from study.errors import code_and_lines
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


def main(small: Path, roomy: Path) -> None:
    """Makes room little by little, until the study is done; then compares it with one that had room at once."""
    from analysis.records import result_files
    from study.machine import free_space
    from tests.kit.faults.oracle import finished_runs, verify_study

    free_space.LEAST_BYTES = 0  # so that it is the writes that fail
    said, size, finished = [], FIRST_KIB, {}
    while True:
        code, line = attempt(small)
        if code == 0:
            break
        said.append((code, line))
        after = finished_runs(small / "toy") if (small / "toy").exists() else {}
        assert {path: after[path] for path in finished} == finished  # V2
        finished = {path: content for path, content in after.items() if content}
        size += STEP_KIB
        resize(small, size)
    assert attempt(roomy) == (0, "")
    counts = verify_study(small / "toy")
    verify_study(roomy / "toy")
    values = [
        sorted(result_files.read(folder / "toy" / "results").trials["validation/top1_error"].dropna())
        for folder in (small, roomy)
    ]
    print(json.dumps({"said": said, "same": values[0] == values[1], "trials": counts["trials"]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.fault(17)
@pytest.mark.timeout(120)
def test_a_study_whose_disk_is_full_at_one_write_after_another(tmp_path: Path) -> None:
    small, roomy = tmp_path / "small", tmp_path / "roomy"
    small.mkdir()
    roomy.mkdir()
    mount = f'mount -t tmpfs -o size={FIRST_KIB}k none "$1" && exec "$0" "$2" "$1" "$3"'
    words = ["unshare", "-m", "sh", "-c", mount, sys.executable, str(small), __file__, str(roomy)]
    if subprocess.run(
        [*words[:4], 'mount -t tmpfs none "$0"', str(small)], capture_output=True, check=False
    ).returncode:
        pytest.skip("this user may not mount a file system")
    environment = os.environ | {"PYTHONPATH": PYTHON_PATH}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found["said"]) >= 5
    for code, line in found["said"]:
        assert code == 74, line
        assert str(small) in line
        assert "No space left on device, " in line
        assert line.endswith(" bytes are free; make room, then resume")
    assert found["same"]
    assert found["trials"] == 4 + 1 + 2
