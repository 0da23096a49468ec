"""Evidence in the manual: tables follow from the committed results, and no file names a host or a folder."""

import json
import re
from pathlib import Path

import pytest

from analysis.findings import best_config, best_config_table
from analysis.records import result_files
from analysis.tables import files
from tests.evidence import questions

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "explanation" / "evidence.md").read_text()
STUDIES = sorted(path.parent for path in HERE.glob("*/results"))


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.name)
def test_the_table_follows_from_the_results(study: Path) -> None:
    found = best_config_table.best_config_table(best_config.collect(result_files.read(study / "results")))
    assert files.content(found, "md") == (study / "best_config.md").read_text()
    assert f'--8<-- "tests/evidence/{study.name}/best_config.md"' in PAGE


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.name)
def test_every_confirmation_has_ledger_entries(study: Path) -> None:
    results = result_files.read(study / "results")
    runs = results.confirmations
    assert (runs["state"] == "COMPLETE").all()
    readings = [(line["trial"], line["attempt"]) for line in results.study["ledger"]]
    assert {trial for trial, _ in readings} == set(runs["trial"])


def test_no_file_names_a_host_or_a_folder() -> None:
    for study in STUDIES:
        content = json.loads((study / "results" / "study.json").read_text())
        lines = [*content["provenance"], *content["ledger"]]
        assert {line["host"] for line in lines} == {"machine"}
        for text in (json.dumps(content), (study / "study.yaml").read_text()):
            assert not re.search(r"""(^|[\s"'=:])/\w""", text)


def test_the_answers_follow_from_the_recorded_runs() -> None:
    assert (HERE / "questions.md").read_text() == files.content(questions.answers(), "md")
    assert '--8<-- "tests/evidence/questions.md"' in PAGE
