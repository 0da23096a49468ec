"""Tests of the ``cskd`` command line: output, streams and exit codes."""

import json
import shlex
import shutil
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from analysis.records import result_files
from study.definition import loading
from study.state import directory, lease
from tests.kit.fakes.toy import STUDY
from tests.kit.patience import patience
from trainables.config import TrainConfig


def test_help_names_every_command(cskd) -> None:
    code, out, err = cskd("--help")
    assert (code, err) == (0, "")
    for command in ("launch", "resume", "confirm", "stop", "train", "status", "list", "logs", "best", "sync"):
        assert f" {command} " in out
        code, shown, err = cskd(command, "--help")
        assert (code, err) == (0, "")
        assert f" {command} [OPTIONS]" in shown


def test_version(cskd) -> None:
    assert cskd("--version") == (0, f"cskd {metadata.version('cs-kd-study')}\n", "")


def test_help_answers_without_heavy_libraries(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['cskd', '--help']\n"
        "from study import cli\n"
        "try: cli.main()\n"
        "except SystemExit: print('LOADED', *{'torch', 'ray', 'optuna', 'pandas', 'pyarrow'} & set(sys.modules))"
    )
    start = time.monotonic()
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.splitlines()[-1] == "LOADED"
    assert time.monotonic() - start < patience(4)  # half a second on an idle machine


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("presets", ["digits: cs_kd on digits with preact_resnet10, 16 trials"]),
        ("methods", ["cross_entropy: ", "cs_kd: ", "label_smoothing: "]),
        ("models", ["preact_resnet10: ", "preact_resnet18: "]),
        ("datasets", ["cifar100: ", "digits: ", "image_folder: "]),
    ],
)
def test_catalogue_commands_print_one_line_per_entry(cskd, command: str, lines: list[str]) -> None:
    code, out, err = cskd(command)
    assert (code, err) == (0, "")
    for line in lines:
        assert any(found.startswith(line) and len(found) > len(line) - 1 for found in out.splitlines())
    assert all(": " in found for found in out.splitlines())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lunch"], "No such command 'lunch'"),
        (["launch"], "Missing argument 'STUDY'. (see `cskd launch --help`)"),
        (["launch", "digits", "--storag", "x"], "No such option: --storag"),
        (["launch", "digits", "--until", "never"], "Invalid value for '--until'"),
        (["resume", "x", "--trials", "0"], "Invalid value for '--trials'"),
        (["resume", "x", "--trials", "many"], "Invalid value for '--trials'"),
        (["launch", "nothing"], "nothing: neither a file nor a preset; `cskd presets` lists presets"),
        (["launch", "digits", "--set", "trials"], "--set trials: write it as key.path=value"),
        (["launch", "digits", "--set", "=4"], "--set =4: write it as key.path=value"),
        (["launch", "digits", "--set", "search.trials=[1"], "--set, line 1"),
        (["launch", "digits", "--set", "search.trial=4"], "search.trial: unknown key; did you mean 'trials'?"),
        (["launch", "digits", "--set", "name=../x"], "name: a name has 1 to 100 letters"),
        (["status", "nowhere"], "no study here"),
        (["resume", "nowhere"], "no study here"),
        (["logs", "nowhere", "1"], "no study here"),
        (["sync", "nowhere"], "no study here"),
        (["stop", "nowhere"], "no driver is running"),
        (["train", "nowhere.yaml"], "nowhere.yaml: cannot be read: No such file"),
    ],
)
def test_a_mistake_prints_one_line_exits_with_64_and_creates_nothing(cskd, tmp_path: Path, words, message) -> None:
    code, out, err = cskd(*words)
    assert (code, out) == (64, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("cskd: ")
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_without_a_command_the_help_is_shown(cskd) -> None:
    code, out, err = cskd()
    assert (code, err) == (64, "cskd: give a command\n")
    assert "Usage: " in out


def test_status(cskd, done_directory: Path) -> None:
    code, out, err = cskd("status", done_directory)
    assert (code, err) == (0, "")
    assert "toy: done" in out
    assert "best so far: search/" in out
    code, out, _ = cskd("status", done_directory, "--json")
    found = json.loads(out)
    assert (found["state"], found["phases"]["search"]["COMPLETE"]) == ("done", 8)


def test_list(cskd, done_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = cskd("list", "--storage", done_directory.parent)
    assert code == 0
    assert out.startswith("1 study\n")
    monkeypatch.setenv("CSKD_STORAGE", str(done_directory.parent))
    assert [found["name"] for found in json.loads(cskd("list", "--json")[1])] == ["toy"]
    assert json.loads(cskd("list", "--json", "--storage", tmp_path)[1]) == []
    assert cskd("list", "--storage", tmp_path)[1].startswith(f"{tmp_path}: no studies; start one with: cskd launch")
    assert "folder does not exist" in cskd("list", "--storage", tmp_path / "nowhere")[1]
    (tmp_path / "deep").symlink_to(done_directory.parent)
    assert f"no studies; found some in {tmp_path / 'deep'}\n" in cskd("list", "--storage", tmp_path)[1]


def test_logs(cskd, done_directory: Path) -> None:
    code, out, _ = cskd("logs", done_directory, "confirm/0")
    assert code == 0
    assert [line.split()[0] for line in out.rstrip().splitlines()[-4:]] == ["1", "2", "3", "4"]
    assert json.loads(cskd("logs", done_directory, "0", "--json")[1])["trial"] == "search/0"
    code, out, err = cskd("logs", done_directory, "99")
    assert (code, out) == (64, "")
    assert "no trial '99'; search has 8 trials, numbered from 0" in err


def test_best(cskd, done_directory: Path) -> None:
    code, out, err = cskd("best", done_directory)
    assert (code, err) == (0, "")
    config = json.loads(cskd("best", done_directory, "--json")[1])
    assert config["method"]["temperature"] == 4
    assert TrainConfig.model_validate(config).train_on == "full"
    confirmed = result_files.read(done_directory / "results").confirmations
    winner = confirmed[confirmed["arm"].str.startswith("search/")]["test/top1_error"]
    assert f"{100 * winner.mean():.2f}" in out


def test_best_before_the_confirmation_shows_search_values(cskd, searched_directory: Path) -> None:
    code, out, err = cskd("best", searched_directory)
    assert (code, err) == (0, "")
    assert "candidate" in out or "search" in out
    for words in (["best", searched_directory, "--json"], ["export", searched_directory]):
        code, out, err = cskd(*words)
        assert (code, out, len(err.splitlines())) == (65, "", 1)
        assert "'toy' has no confirmed winner yet; run `cskd resume` or `cskd confirm`" in err


def test_best_without_results(cskd, new_study) -> None:
    study = new_study()
    for command in ("best", "export"):
        code, out, err = cskd(command, study.directory)
        assert code != 0
        assert code != 70  # not an internal error
        assert (out, len(err.splitlines())) == ("", 1)


def test_export_in_all_formats(cskd, done_directory: Path, tmp_path: Path) -> None:
    code, text, err = cskd("export", done_directory)
    assert (code, err) == (0, "")
    assert text.startswith("# study toy, arm search/")
    config = TrainConfig.model_validate(yaml.safe_load(text))
    assert TrainConfig.model_validate(json.loads(cskd("export", done_directory, "--format", "json")[1])) == config
    flags = shlex.split(cskd("export", done_directory, "--format", "args")[1])
    assert flags[flags.index("--temperature") + 1] == "4.0"
    assert flags[flags.index("--method") + 1] == "cs_kd"
    assert cskd("export", done_directory, "--out", tmp_path / "sub/mine.yaml")[1] == f"{tmp_path / 'sub/mine.yaml'}\n"
    assert TrainConfig.model_validate(yaml.safe_load((tmp_path / "sub/mine.yaml").read_text())) == config
    assert cskd("export", done_directory, "--format", "hydra")[1].startswith("# @package _global_")
    assert cskd("export", done_directory, "--format", "latex")[1].startswith(r"\begin{table}")
    assert cskd("export", done_directory, "--format", "csv")[1].startswith("arm,method,")
    code, out, err = cskd("export", done_directory, "--out", tmp_path)
    assert (code, out) == (73, "")
    assert err == f"cskd: {tmp_path}: cannot be written: Is a directory; choose another --out\n"
    code, out, err = cskd("export", done_directory, "--format", "released")
    assert (code, out, len(err.splitlines())) == (65, "", 1)
    assert cskd("export", done_directory, "--format", "xml")[0] == 64


def test_report_and_comparison(cskd, done_directory: Path, tmp_path: Path) -> None:
    first, second = (Path(shutil.copytree(done_directory, tmp_path / name)) for name in "ab")
    code, out, err = cskd("report", first, second)
    assert (code, err) == (0, "")
    pages = out.splitlines()
    assert pages == [str(path / "report" / "index.html") for path in (first, second)]
    assert all(Path(page).stat().st_size > 1000 for page in pages)
    code, out, err = cskd("compare", first, second)
    assert (code, err) == (0, "")
    assert "A: toy, B: toy" in out
    assert "The study files do not differ." in out
    assert "the digest of the training data was not recorded" in out  # the toy reads no data
    page = cskd("compare", first, second, "--out", tmp_path / "both")[1].splitlines()[-1]
    assert page == str(tmp_path / "both" / "index.html")
    assert Path(page).stat().st_size > 1000
    found = json.loads(cskd("compare", first, second, "--json")[1])
    assert found["sides"][0]["run_hours"] > 0
    assert "device h a run" in out
    assert [side["label"] for side in found["sides"]] == ["A", "B"]
    code, out, err = cskd("compare", first)
    assert (code, out, len(err.splitlines())) == (64, "", 1)
    assert "nowhere: no study here (no such folder)" in cskd("compare", first, tmp_path / "nowhere")[2]
    assert "is named twice" in cskd("compare", first, tmp_path / "b" / ".." / "a")[2]


def test_sync(cskd, done_directory: Path, tmp_path: Path) -> None:
    study = Path(shutil.copytree(done_directory, tmp_path / "copy"))
    (study / "results/trials.parquet").unlink()
    code, out, _ = cskd("sync", study)
    assert (code, out.splitlines()[0]) == (0, f"{study / 'results'}: 9 trials, 4 confirmations")
    assert len(result_files.read(study / "results").trials) == 9


def test_launching_twice_says_resume(cskd, tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(STUDY)
    directory.create(loading.load(tmp_path / "toy.yaml"), tmp_path / "runs")
    code, out, err = cskd("launch", "toy.yaml")
    assert (code, out) == (64, "")
    assert f"already holds this study; resume it with `cskd resume {tmp_path / 'runs/toy'}`" in err
    assert "training.lr: 0.1 there, 0.2 here" in cskd("launch", "toy.yaml", "--set", "training.lr=0.2")[2]


@pytest.mark.fault(26)
def test_a_held_study_cannot_be_resumed(cskd, new_study) -> None:
    study = new_study(search__trials=2)
    with lease.lease(study.directory):
        code, out, err = cskd("resume", study.directory)
    assert (code, out) == (75, "")
    assert "held by " in err
    assert len(err.splitlines()) == 1


def test_resuming_with_fewer_trials_than_exist_is_refused(cskd, done_directory: Path, tmp_path: Path) -> None:
    study = shutil.copytree(done_directory, tmp_path / "copy")
    code, _, err = cskd("resume", study, "--trials", 3)
    assert code == 64
    assert "the study already has 8 search trials; give the new total" in err


@pytest.mark.fault(20)
def test_a_storage_folder_that_cannot_be_created(cskd, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = cskd("launch", "digits", "--storage", tmp_path / "file")
    assert code == 73
    assert f"{tmp_path / 'file/digits'}: cannot be created or written: Not a directory" in err


def test_an_internal_error_is_reported_as_such(cskd, done_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from study.views import status

    monkeypatch.setattr(status, "describe", lambda _: 1 / 0)
    code, _, err = cskd("status", done_directory)
    assert code == 70
    assert err.splitlines()[-1].startswith("cskd: internal error: ZeroDivisionError: division by zero; please report")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (OSError(28, "No space left on device", "/data/x"), 74, "cskd: /data/x: No space left on device, "),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_full_disk_and_ctrl_c(cskd, done_directory: Path, monkeypatch, error, code: int, line: str) -> None:
    from study.views import status

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(status, "describe", fail)
    found, _, err = cskd("status", done_directory)
    assert found == code
    assert err.startswith(line)
    assert len(err.splitlines()) <= 1
