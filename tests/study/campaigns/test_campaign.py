"""Tests of campaigns, with real drivers and toy training: order, share of the hours, errors and resume."""

import pytest

from study.campaigns import campaign
from study.definition import yaml_reader
from study.errors import StudyDirectoryError, UsageError
from study.state import directory as study_directory
from tests.kit.faults.drivers import read_log, start
from tests.kit.patience import patience


def trials_of(directory):
    with study_directory.open_study(directory) as study:
        return [(trial.number, trial.user_attrs, trial.datetime_complete) for trial in study.store.trials("search")]


SMALL = {"search__trials": 2, "confirm__finalists": 1, "confirm__seeds": [1], "controls": []}


def test_patterns_match_presets_else_files_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.yaml", "a.yaml"):
        (tmp_path / name).write_text("")
    assert campaign.expand(["digits", "tiny_imagenet-preact_resnet18-c*", "digits"]) == [
        "digits",
        "tiny_imagenet-preact_resnet18-cross_entropy",
        "tiny_imagenet-preact_resnet18-cs_kd",
        "tiny_imagenet-preact_resnet18-cs_kd_e",
    ]
    assert campaign.expand(["*.yaml"]) == ["a.yaml", "b.yaml"]
    with pytest.raises(UsageError, match=r"nothing-\*: matches no preset and no file"):
        campaign.expand(["nothing-*"])


def test_two_studies_of_one_name_are_refused():
    with pytest.raises(UsageError, match="several studies are named 'digits'"):
        campaign.load(["digits", "digits"], {})


def test_the_share_of_the_hours_does_not_change_the_study(toy, tmp_path):
    config = toy()
    directory = study_directory.create(campaign._with_hours(config, 0.5), tmp_path)
    assert study_directory.read_config(directory).search.budget.hours == 0.5
    campaign._check_same_study(config, directory)
    with pytest.raises(StudyDirectoryError, match=r"training\.lr"):
        campaign._check_same_study(toy(training__lr=0.5), directory)
    assert campaign._with_hours(toy(search__budget={"hours": 0.25}), 0.5).search.budget.hours == 0.25


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_campaign_continues_after_a_failed_study_and_resumes(toy, tmp_path):
    for name, changes in {"bad": {"resources": {"cpus_per_trial": 1000}}, "one": {}, "two": {}}.items():
        (tmp_path / f"{name}.yaml").write_bytes(yaml_reader.dump(toy(name=name, **SMALL, **changes).resolved()))

    def launch(*words) -> tuple[int, str]:
        before = len(read_log(tmp_path)) if (tmp_path / "driver.log").exists() else 0
        code = start(tmp_path, "launch", *map(str, words), "--storage", str(tmp_path)).wait(patience(200))
        return code, read_log(tmp_path)[before:]

    code, output = launch(tmp_path / "bad.yaml", tmp_path / "one.yaml", "--hours", 1)
    assert code == 1, output
    assert "[1/2] bad" in output
    assert "a trial requests 1000 CPUs" in output
    assert "1 of 2 studies did not finish" in output
    assert not (tmp_path / "bad").exists()
    assert study_directory.read_config(tmp_path / "one").search.budget.hours == pytest.approx(1.0, abs=0.02)
    before = trials_of(tmp_path / "one")
    code, output = launch(tmp_path / "one.yaml", tmp_path / "two.yaml")
    assert code == 0, output
    assert before == trials_of(tmp_path / "one")  # already finished
    assert (tmp_path / "two" / "best_config.yaml").exists()
    assert (tmp_path / "comparison" / "index.html").exists()
    code, output = launch(tmp_path / "one.yaml", "--hours", 0)
    assert (code, "the campaign's time budget is used up" in output) == (1, True)
