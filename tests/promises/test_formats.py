"""Studies of every released format can be read and resumed; newer formats are rejected with one line."""

import re
import shutil
from pathlib import Path

import pytest
import torch

from analysis.records import result_files
from analysis.report import study_report
from study.definition import yaml_reader
from study.errors import StudyFileError
from study.state import directory as study_directory
from study.state import provenance
from tests.kit.fakes.executor import Executor
from tests.kit.faults.oracle import verify_study
from trainables.errors import CheckpointError
from trainables.files.durable import sha256_of
from trainables.preparation.extraction import unpack
from trainables.runs import checkpoint
from trainables.runs.checkpoint_names import checksum_of, generations
from trainables.runs.run_directory import Outcome
from trainables.training.run import Run

FORMATS = sorted(Path(__file__).with_name("formats").glob("*.tar.gz"))
NEWER = yaml_reader.FORMAT + 1


def test_the_current_format_has_an_archive() -> None:
    assert f"{yaml_reader.FORMAT}.tar.gz" in {path.name for path in FORMATS}


@pytest.fixture(params=FORMATS, ids=lambda path: path.name.partition(".")[0])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Storage folder written in each released format."""
    unpack(request.param, tmp_path)
    return tmp_path


def test_commands_show_an_old_study(cskd, old: Path) -> None:
    code, out, err = cskd("status", old / "toy")
    assert (code, err) == (0, "")
    assert "running" in out.lower()
    assert "FAIL" in cskd("logs", old / "toy", "1")[1]
    assert "toy" in cskd("list", "--storage", old)[1]
    assert cskd("best", old / "toy")[0] == 0
    assert "Not confirmed yet" in study_report.html(result_files.read(old / "toy" / "results"), ())


def test_an_old_study_is_resumed(old: Path) -> None:
    before = {path: path.read_bytes() for path in (old / "toy").glob("trials/[0-3]/metrics.jsonl")}
    with study_directory.open_study(old / "toy") as study:
        Executor(study).run()
    verify_study(old / "toy")
    assert len(before) == 4
    assert all(path.read_bytes() == content for path, content in before.items())


def test_resuming_with_other_code_is_refused(cskd, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        provenance, "code_digest", lambda: "0123456789abcdef"
    )  # the code may not have changed since the release
    code, out, err = cskd("resume", old / "toy")
    assert (code, out) == (64, "")
    assert err.count("\n") == 1
    assert "code changed since the study began" in err


def test_a_run_resumes_from_an_old_checkpoint(old: Path) -> None:
    (newest, _) = generations(old / "run" / "checkpoints")
    state = checkpoint.load(newest)
    from trainables.training.pretrained import config_of

    run = Run(config_of(state, newest), old / "run", attempt=2)
    assert run.epoch == 2
    outcome = None
    while not isinstance(outcome, Outcome):
        outcome = run.advance()
    assert (outcome.state, outcome.epoch) == ("finished", 4)


@pytest.mark.parametrize("command", ["status", "sync", "resume", "verify"])
def test_a_directory_without_a_format_is_refused_and_not_changed(
    cskd, done_directory: Path, tmp_path: Path, command: str
) -> None:
    """Versions before the first release wrote lines without checksums; a sync would write results without values."""
    directory = shutil.copytree(done_directory, tmp_path / "toy")
    path = directory / "study.yaml"
    path.write_text(re.sub("(?m)^format:.*\n", "", path.read_text()))
    before = {file: file.read_bytes() for file in (directory / "results").iterdir()}
    code, out, err = cskd(command, directory)
    assert (code, out) == (64, "")
    assert "has no format, so a version before the first release wrote the study, without checksums" in err
    assert before == {file: file.read_bytes() for file in (directory / "results").iterdir()}


@pytest.mark.parametrize("command", ["status", "resume", "sync", "verify"])
def test_a_newer_directory_is_refused(cskd, done_directory: Path, tmp_path: Path, command: str) -> None:
    shutil.copytree(done_directory, tmp_path / "toy")
    path = tmp_path / "toy" / "study.yaml"
    assert path.read_text().startswith(f"format: {yaml_reader.FORMAT}\n")
    path.write_text(path.read_text().replace("format: 1", f"format: {NEWER}"))
    code, out, err = cskd(command, tmp_path / "toy")
    assert (code, out, err.count("\n")) == (64, "", 1)
    assert f"has format {NEWER}, and this version of cs-kd-study reads up to {NEWER - 1}; update" in err


@pytest.mark.parametrize("value", ["0", "-1", "1.0", "x", "true", "[1]", "null"])
def test_an_invalid_format_is_refused(value: str) -> None:
    with pytest.raises(StudyFileError, match="format: is a whole number from 1"):
        yaml_reader.parse(f"format: {value}\nname: x".encode(), "my.yaml")


def test_a_newer_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "epoch_000001.pt"
    torch.save({"format": checkpoint.FORMAT + 1, "epoch": 1}, path)
    checksum_of(path).write_text(sha256_of(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"has format 2, and this version .* reads 1; update"):
        checkpoint.load(path)
