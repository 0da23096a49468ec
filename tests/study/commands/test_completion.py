"""Tests of shell completion."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from study.definition.loading import presets

ROOT = Path(__file__).parents[3]


@pytest.fixture
def offered(cskd, monkeypatch: pytest.MonkeyPatch):
    """Returns a function that completes the last word of a line, as bash does."""

    def complete(line: str) -> list[str]:
        monkeypatch.setenv("_CSKD_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        code, out, err = cskd()
        assert (code, err) == (0, "")
        return out.split()

    return complete


def test_commands_and_options(offered) -> None:
    assert offered("cskd la") == ["launch"]
    assert set(offered("cskd ")) >= {"presets", "launch", "status", "compare", "doctor"}
    assert offered("cskd launch digits --all") == []
    assert "--storage" in offered("cskd launch digits --s")
    assert offered("cskd launch digits --until ") == ["search", "confirm"]
    assert offered("cskd export x --format y") == ["yaml"]


def test_names_of_arguments(offered) -> None:
    assert offered("cskd data prepare c") == ["cifar100", "cub200"]
    assert offered("cskd reproduce table1 figure1") == ["figure1b"]
    assert offered("cskd reproduce table1 --dataset st") == ["stanford_dogs"]
    assert offered("cskd deploy sl") == ["slurm.sh"]
    assert offered("cskd submit dig") == [name for name in presets() if name.startswith("dig")]


def test_studies_are_presets_and_files(offered, tmp_path: Path) -> None:
    for name in ("mine.yaml", "other.yml", "notes.txt", "sub/deep.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert offered("cskd validate ") == [*presets(), "mine.yaml", "other.yml"]
    assert offered("cskd launch mine") == ["mine.yaml"]
    assert offered("cskd init sub/") == ["sub/deep.yaml"]
    assert offered(f"cskd launch {tmp_path}/m") == [f"{tmp_path}/mine.yaml"]


def test_directories_and_trials(offered, done_directory: Path, tmp_path: Path, monkeypatch) -> None:
    shutil.copytree(done_directory, tmp_path / "runs" / "toy")
    assert offered("cskd status ") == ["runs/toy"]
    assert offered("cskd compare runs/toy r") == ["runs/toy"]
    assert offered("cskd status x") == []
    assert offered("cskd logs runs/toy co") == [*["controls/0"], *(f"confirm/{number}" for number in range(4))]
    assert len(offered("cskd logs runs/toy ")) == 8 + 1 + 4
    assert offered("cskd logs nowhere ") == []
    assert offered("cskd launch digits --warm-start r") == ["runs/toy"]
    assert offered("cskd train runs/toy/b") == ["runs/toy/best_config.yaml"]
    shutil.copytree(done_directory, tmp_path / "elsewhere" / "toy")
    assert offered("cskd status elsewhere/") == ["elsewhere/toy"]
    monkeypatch.setenv("CSKD_STORAGE", str(done_directory.parent))
    assert offered("cskd resume ") == [str(done_directory)]


def test_completion_in_zsh(cskd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_CSKD_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "cskd export x --format js")
    assert '"json"' in cskd()[1]
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "cskd init cifar100-sm")
    assert '"cifar100-smoke"' in cskd()[1]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_of_each_shell(shell: str, tmp_path: Path) -> None:
    environment = {"_CSKD_COMPLETE": f"source_{shell}", "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", "import sys; sys.argv = ['cskd']; from study import cli; cli.main()"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path)
    assert "_CSKD_COMPLETE" in done.stdout
