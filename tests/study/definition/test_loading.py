"""Tests of reading study files and presets."""

from pathlib import Path

import pytest
import yaml

from search_spaces.space import distribution
from study.definition.loading import build, load, preset, presets
from study.errors import StudyFileError
from tests.kit.fakes.toy import STUDY


def test_presets_are_files_and_rows_of_the_paper() -> None:
    assert {"digits", "cifar100-preact_resnet18-cs_kd"} <= set(presets())


@pytest.mark.parametrize("name", presets())
def test_every_preset_loads_and_equals_its_resolved_file(name: str) -> None:
    study = preset(name)
    assert study.name == name
    again = build(study.resolved(), "x")
    assert again.resolved() == study.resolved()
    assert again.digest() == study.digest()
    assert again.space() == study.space()
    assert build(again.resolved(), "x") == again


def test_an_unknown_source_is_refused_with_a_hint() -> None:
    for source in (300 * "x", "no/such/file.yaml", "a\0b"):
        with pytest.raises(StudyFileError, match=r"neither a file nor a preset; `cskd presets` lists presets"):
            load(source)
    with pytest.raises(StudyFileError, match=r"digit: neither a file nor a preset; did you mean 'digits'\?"):
        load("digit")


def test_overrides_change_the_file_before_it_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(STUDY)
    study = load(
        path,
        {
            "search.trials": 3,
            "search.space.training.lr.low": 0.01,
            "search.space.training.lr.high": 1,
            "search.space.temperature": {"low": 2, "high": 3},
            "method.temperature": 2,
            "resources.max_concurrent": 1,
            "controls": [],
        },
    )
    assert study.search.trials == 3
    assert study.space()["training.lr"] == distribution({"low": 0.01, "high": 1})
    assert study.space()["temperature"] == distribution({"low": 2, "high": 3})
    assert study.space()["lambda_cls"] == distribution({"choices": [1, 2, 3, 4]})
    assert study.method.model_dump()["temperature"] == 2
    assert study.resources.max_concurrent == 1
    assert study.controls == ()
    with pytest.raises(StudyFileError, match=r"training.epoch: unknown key; did you mean .epochs"):
        load(path, {"training.epoch": 3})


def test_several_mistakes_are_reported_in_one_line_each() -> None:
    content = yaml.safe_load(STUDY)
    content["training"]["lr"], content["search"]["trials"], content["nam"] = -1, 0, "x"
    with pytest.raises(StudyFileError) as caught:
        build(content, "my.yaml")
    assert [line.split(": ")[1] for line in str(caught.value).split("\n")] == ["training.lr", "search.trials", "nam"]
