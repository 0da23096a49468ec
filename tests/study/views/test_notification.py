"""Tests of the user-defined command at the end of a driver, with real processes."""

import json
import sys
from pathlib import Path

import pytest

from study.errors import UsageError
from study.views.notification import notified, parse

KEEP = [sys.executable, "-c", "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"]


def test_the_command_reads_the_status(done_directory: Path, tmp_path: Path) -> None:
    with notified([*KEEP, str(tmp_path / "told")], done_directory, pytest.fail):
        assert not (tmp_path / "told").exists()
    told = json.loads((tmp_path / "told").read_text())
    assert (told["name"], told["state"]) == ("toy", "done")
    assert told["best"]["value"] > 0


def test_the_command_runs_after_an_error_which_is_raised(done_directory: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyError), notified([*KEEP, str(tmp_path / "told")], done_directory, pytest.fail):
        raise KeyError
    assert (tmp_path / "told").exists()


@pytest.mark.parametrize("command", [["/nowhere/at-all"], [sys.executable, "-c", "raise SystemExit(3)"]])
def test_a_failing_command_is_reported_and_has_no_other_effect(done_directory: Path, command: list[str]) -> None:
    said: list[str] = []
    with notified(command, done_directory, said.append):
        pass
    assert len(said) == 1
    assert said[0].startswith(f"--notify {command[0]}")


def test_the_command_does_not_run_without_a_study_directory(tmp_path: Path) -> None:
    with notified([*KEEP, str(tmp_path / "told")], tmp_path / "none", pytest.fail):
        pass
    assert not (tmp_path / "told").exists()


def test_parse_splits_a_command_line() -> None:
    assert parse("mail -s 'a study' me") == ["mail", "-s", "a study", "me"]
    assert parse(None) is None
    for wrong in ("mail 'x", " "):
        with pytest.raises(UsageError, match="--notify"):
            parse(wrong)
