"""Strings with injection attempts are stored unchanged and are harmless wherever they are shown."""

import csv
import html.parser
import io
import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.records import result_files
from analysis.report import study_report
from study.definition import yaml_reader
from study.outcome.result_files import write_results
from study.state import directory as study_directory
from study.tracking.tracking_thread import connect, open_mirror
from tests.kit.fakes import executor
from tests.kit.fakes.toy import STUDY
from tests.kit.inputs.archive_maker import picture
from tests.kit.inputs.hostile import CLASSES, STRINGS
from trainables.runs.assignment import Assignment

pytestmark = pytest.mark.bad_input(42)
SHOWN = (STRINGS[1], STRINGS[7])  # controls, which the tables always show
FORMULA = re.compile(r"^\s*[=+@]|^\s*-(?![\d.−]*$)")


def is_harmless(text: str) -> bool:
    """Returns whether a text has no control or format characters except newlines."""
    return not [c for c in text if c != "\n" and (unicodedata.category(c)[0] == "C" or c in "\u2028\u2029")]


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory, toy: Callable, empty_tracking_database: Path) -> Path:
    """Directory of a finished study with hostile choices and a hostile error; tests must not change it."""
    storage = tmp_path_factory.mktemp("storage")
    (storage / "mlflow.db").write_bytes(empty_tracking_database.read_bytes())
    config = toy(
        method={"name": "tests.kit.inputs.hostile:Policy", "temperature": 4},
        search__space={"policy": {"choices": list(STRINGS)}},
        search__trials=len(STRINGS),
        training={"epochs": 2, "checkpoint_seconds": 0},
        controls=[{"policy": text} for text in SHOWN],
        tracking__enabled=True,
    )
    directory = study_directory.create(config, storage)
    with pytest.MonkeyPatch.context() as patch, study_directory.open_study(directory) as study:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setitem(executor.ERRORS, "hostile", ValueError(" ".join(STRINGS)))
        executor.Executor(study, fail_first).run()
        write_results(study)  # with all figures; the executor draws one
        open_mirror(study).bring_up_to_date(live=False)
    return directory


def fail_first(assignment: Assignment, epoch: int) -> str | None:
    return "hostile" if (assignment.phase, assignment.number, epoch) == ("search", 0, 2) else None


@pytest.mark.parametrize("line", ["status", "logs", "best", "export", "validate", "list"])
def test_terminal_output_is_harmless(cskd, strange: Path, line: str) -> None:
    words = {
        "logs": ("logs", strange, "search/0"),
        "validate": ("validate", strange / "study.yaml"),
        "list": ("list", "--storage", strange.parent),
    }
    code, out, err = cskd(*words.get(line, (line, strange)))
    assert (code, err) == (0, "")
    assert is_harmless(out)
    assert len(out) < 60_000


def test_strings_are_stored_unchanged(strange: Path) -> None:
    frozen = yaml_reader.read(strange / "study.yaml")
    assert tuple(frozen["search"]["space"]["policy"]["choices"]) == STRINGS
    with study_directory.open_study(strange) as study:
        assert {trial.params["policy"] for trial in study.store.trials("search")} == set(STRINGS)
    found = result_files.read(strange / "results").trials
    assert set(found["params/policy"].dropna()) == set(STRINGS)
    assert "<script>" in found["error"].dropna().item()


@pytest.mark.parametrize("kind", ["csv", "markdown", "latex", "hydra", "args", "json"])
def test_exports_are_harmless(cskd, strange: Path, kind: str) -> None:
    code, out, err = cskd("export", strange, "--format", kind)
    assert (code, err) == (0, "")
    assert is_harmless(out) or kind == "args"
    if kind == "csv":
        cells = [cell for row in csv.reader(io.StringIO(out)) for cell in row]
        assert [cell for cell in cells if FORMULA.match(cell)] == []
        assert f"'{SHOWN[0]}" in cells
    if kind == "latex":
        assert r"\input" not in out
    if kind == "json":
        assert json.loads(out)["method"]["policy"] in STRINGS


class Elements(html.parser.HTMLParser):
    """Collects the element names, attribute names and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_is_harmless(strange: Path) -> None:
    found = Elements(page := study_report.html(result_files.read(strange / "results"), ()))
    assert "script" not in found.names
    assert not [name for name in found.attributes if name.startswith("on")]
    assert "<script>window.attacked" in found.text
    assert "{{7*7}}" in found.text
    assert is_harmless(page)


def test_mlflow_tags_are_harmless(strange: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with study_directory.open_study(strange) as study:
        runs = connect(study).runs_of(study.identity)
    assert len(runs) == len(STRINGS) + 2 + 2 * 3 + 1  # search, controls, confirmations of three arms, parent run
    assert all(is_harmless(value) or name == "cskd.config" for run in runs for name, value in run.tags.items())


def test_errors_about_hostile_class_names_are_harmless(cskd, tmp_path: Path) -> None:
    for number, name in enumerate(CLASSES):
        (tmp_path / "images" / name).mkdir(parents=True)
        for image in range(4 if number else 0):
            (tmp_path / "images" / name / f"{image}.jpg").write_bytes(picture(image, (8, 8)))
    (tmp_path / "my.yaml").write_text(
        STUDY.replace("{name: digits, validation: {per_class: 8}}", "{name: image_folder, root: images, size: 8}")
    )
    code, out, err = cskd("launch", "my.yaml")
    assert (code, out, err.count("\n")) == (65, "", 1)
    assert is_harmless(err)
    assert "has no images" in err
