"""Tests of the commented study file: it is valid, describes the same study, and explains every key."""

import pytest
from pydantic import BaseModel

from study.definition import template, yaml_reader
from study.definition.loading import build, load, preset, presets


def keys_of(options: BaseModel) -> list[str]:
    """Returns the names of all keys of a configuration, in order."""
    found = []
    for name in type(options).model_fields:
        value = getattr(options, name)
        found += [name, *(keys_of(value) if isinstance(value, BaseModel) else [])]
    return found


@pytest.mark.parametrize("name", presets())
def test_a_preset_with_comments_is_the_same_study(name: str) -> None:
    study = preset(name)
    again = build(yaml_reader.parse(template.commented(study).encode(), "x"), "x")
    assert again.resolved() == study.resolved()


def test_the_starting_point_has_every_default() -> None:
    study = build(template.STARTING_POINT, "x")
    content = yaml_reader.parse(template.commented(study).encode(), "x")
    assert build(content, "x").resolved() == study.resolved()
    defaults = build({key: template.STARTING_POINT[key] for key in ("name", "dataset", "model", "method")}, "x")
    assert content["training"] == defaults.resolved()["training"]


@pytest.mark.parametrize("name", presets())
def test_every_key_has_a_comment(name: str) -> None:
    study = preset(name)
    lines = template.commented(study).splitlines()
    for key in keys_of(study):
        places = [n for n, line in enumerate(lines) if line.strip().startswith(f"{key}:") and ": {" not in line]
        assert places, key
        for place in places:  # the name of a part is the first key of its section, which has the comment
            part = key == "name" and lines[place - 1].strip() in ("dataset:", "model:", "method:")
            assert part or lines[place - 1].strip().startswith("# "), key


def test_comments_use_yaml_notation() -> None:
    text = template.commented(load("digits"))
    comments = " ".join(line for line in text.splitlines() if line.strip().startswith("#"))
    assert not any(word in comments for word in ("``", "None", "True", "False"))
    assert max(map(len, text.splitlines())) <= 100
    assert "  # Initial learning rate. (above 0)\n  lr: 0.1\n" in text
    assert "(gp tpe nsgaii random qmc grid)\n    name: gp\n" in text


def test_paths_controls_with_options_and_spaces_survive_a_round_trip() -> None:
    content = template.STARTING_POINT | {
        "dataset": {"name": "image_folder", "root": "/data/it's: #1"},
        "search": {"space": {"temperature": {"choices": [1, 4]}, "training.lr": {"low": 0.01, "high": 1, "log": True}}},
        "controls": [{"method": {"name": "label_smoothing", "epsilon": 0.2}, "training": {"lr": 0.05}}, {}],
    }
    study = build(content, "x")
    assert build(yaml_reader.parse(template.commented(study).encode(), "x"), "x").resolved() == study.resolved()
