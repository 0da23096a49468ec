"""Terminal output of ``cskd``: help pages, widths, colours and hostile text."""

import json
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from study import cli
from study.commands import output
from tests.kit.patience import patience

ROOT = Path(__file__).parents[2]
COMMANDS = typer.main.get_command(cli.app).commands
HOSTILE = "<script>=cmd()\x1b[31m\x9b2J\x07\r\n\0{{7*7}}\u202e\u2028[red]"
LOOKS = (
    "status DIR",
    "list",
    "logs DIR 0",
    "logs DIR confirm/0",
    "best DIR",
    "compare DIR COPY",
    "clean DIR --dry-run",
)
CATALOGUE = ("presets", "methods", "models", "datasets", "validate digits", "doctor")
WITH_JSON = (
    "presets",
    "methods",
    "models",
    "datasets",
    "status",
    "list",
    "logs",
    "best",
    "validate",
    "doctor",
    "compare",
)


def words_of(line: str, directory: Path) -> list[str]:
    places = {"DIR": str(directory), "COPY": str(directory.parent / "other" / directory.name)}
    return [places.get(word, word) for word in line.split()]


@pytest.fixture(scope="module")
def copied(done_directory: Path) -> Iterator[None]:
    """Copies the study to the path that ``words_of`` uses, one folder deeper so that ``cskd list`` ignores it."""
    shutil.copytree(done_directory, done_directory.parent / "other" / done_directory.name)
    yield
    shutil.rmtree(done_directory.parent / "other")


def is_harmless(text: str) -> bool:
    kinds = {character: unicodedata.category(character) for character in text}
    return not [c for c, kind in kinds.items() if (kind[0] == "C" or kind in ("Zl", "Zp")) and c != "\n"]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_a_panel_a_summary_and_an_example(cskd, monkeypatch, name: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command = COMMANDS[name]
    assert command.rich_help_panel
    assert command.help.splitlines()[0].endswith(".")
    assert command.epilog.startswith(f"Example: cskd {name}")
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in shlex.split(command.epilog) if word.startswith("--")} <= options
    code, out, _ = cskd(name, "--help")
    assert code == 0
    assert out.split("╯")[-1].split() == command.epilog.split()
    assert max(map(len, out.splitlines())) <= 80


PAGES = [(name,) for name in COMMANDS] + [
    (name, below) for name, command in COMMANDS.items() for below in getattr(command, "commands", {})
]


@pytest.mark.parametrize("page", [(), *PAGES], ids=" ".join)
def test_help_shows_no_python_types(cskd, monkeypatch: pytest.MonkeyPatch, page: tuple[str, ...]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = cskd(*page, "--help")[1]
    assert not re.search(r"<(bool|str|path|int|float|list)|list\[|[{}]|\.{4}", out)
    assert f"Usage: cskd {' '.join(page)}" in out
    assert max(map(len, out.splitlines())) <= 80


def test_help_shows_environment_variables_and_defaults(cskd) -> None:
    out = cskd("launch", "--help")[1]
    assert re.search(r"Folder of the study directories\. +\[env var: CSKD_STORAGE\] +\[default: \(runs\)\]", out)
    assert re.search(r"\[env var: RAY_ADDRESS\] +\[default: \(local\)\]", out)
    assert not [line for line in out.splitlines() if line.rstrip(" │").endswith(" .")]  # brackets swallowed as markup


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("line", [*LOOKS, *CATALOGUE])
def test_output_fits_the_terminal_and_is_plain_in_a_pipe(
    cskd, done_directory: Path, monkeypatch: pytest.MonkeyPatch, line: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("CSKD_STORAGE", str(done_directory.parent))
    monkeypatch.chdir(done_directory.parent)
    code, out, err = cskd(*words_of(line, Path("toy")))
    assert (code, err) == (0, "")
    assert is_harmless(out)
    lines = [shown for shown in out.splitlines() if str(done_directory.parent) not in shown]  # pytest's paths are long
    assert max(map(len, lines)) <= columns


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize("name", WITH_JSON)
def test_json_output_is_valid(cskd, done_directory: Path, name: str) -> None:
    line = next(line for line in (*LOOKS, *CATALOGUE) if line.split()[0] == name)
    code, out, err = cskd(*words_of(line, done_directory), "--json")
    assert (code, err) == (0, "")
    assert isinstance(json.loads(out), dict | list)
    assert out.isascii()


def test_width(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns, width in (("100", 100), ("20", 40), ("x", 80)):
        monkeypatch.setenv("COLUMNS", columns)
        assert output.width() == width


def on_a_terminal(words: list[str], **environment: str) -> bytes:
    """Returns the output of a command on a terminal of 80 columns."""
    leader, follower = pty.openpty()
    clean = {
        key: x for key, x in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "RAY_ADDRESS")
    }
    clean |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "study.cli", *words]
    with subprocess.Popen(command, stdout=follower, stderr=follower, env=clean | environment) as process:
        os.close(follower)
        shown = b""
        while select.select([leader], [], [], 30)[0]:
            try:
                shown += os.read(leader, 65536)
            except OSError:  # the other end was closed
                break
        process.wait(patience(30))
    os.close(leader)
    return shown


def test_colours_are_used_on_a_terminal_only_and_not_with_no_color() -> None:
    colour = re.compile(rb"\x1b\[[0-9;]*3[0-9]m")
    assert colour.search(on_a_terminal(["doctor"]))
    assert not colour.search(on_a_terminal(["doctor"], NO_COLOR="1"))
    assert b"\x1b" not in on_a_terminal(["methods"])


@pytest.fixture
def hostile_directory(new_study, done_directory: Path) -> Path:
    """A study with hostile parameter values, error texts and folder names."""
    study = new_study()
    distributions = {"temperature": CategoricalDistribution((HOSTILE, 10_000 * "x"))}
    for value, state in ((HOSTILE, TrialState.COMPLETE), (10_000 * "x", TrialState.FAIL)):
        trial = study.store.begin("search", {"temperature": value}, distributions, {})
        error = None if state == TrialState.COMPLETE else HOSTILE + 10_000 * "y"
        study.store.tell(trial, state, [0.5] if error is None else None, 4, error)
    bad = study.directory.parent / "x\x1b[31m\n\u202e"
    bad.mkdir()
    (bad / "study.yaml").write_bytes(f"name: {json.dumps(HOSTILE)}".encode())
    return study.directory


@pytest.mark.parametrize("line", ["status DIR", "list", "logs DIR 0", "logs DIR 1"])
def test_hostile_text_is_escaped(cskd, hostile_directory: Path, monkeypatch, line: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("CSKD_STORAGE", str(hostile_directory.parent))
    code, out, err = cskd(*words_of(line, hostile_directory))
    assert (code, err) == (0, "")
    assert is_harmless(out)
    assert len(out) < 20_000
    assert "\\x1b[31m" in out
    assert json.loads(cskd(*words_of(line, hostile_directory), "--json")[1])


def test_errors_about_hostile_directories_are_escaped_lines(cskd, hostile_directory: Path) -> None:
    bad = hostile_directory.parent / "x\x1b[31m\n\u202e"
    for command in ("status", "resume", "stop", "best", "sync", "clean", "report"):
        code, out, err = cskd(command, bad)
        assert code in (64, 65)
        assert out == ""
        assert err.count("\n") == len(err.splitlines()) >= 1
        assert is_harmless(err)


def test_the_traceback_of_an_internal_error_is_escaped(
    cskd, done_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from study.views import status

    def fail(_: object) -> None:
        raise ZeroDivisionError(HOSTILE)

    monkeypatch.setattr(status, "describe", fail)
    code, _, err = cskd("status", done_directory)
    assert code == 70
    assert is_harmless(err)
    assert "Traceback (most recent call last):" in err
