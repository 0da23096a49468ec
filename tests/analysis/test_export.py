import argparse
import json
import shlex
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.best_config import collect, winner_config
from analysis.export import export, header


@pytest.fixture
def winner(load: Any, content: dict[str, Any]) -> dict[str, Any]:
    return winner_config(load(content))


def test_yaml_says_where_it_comes_from_and_keeps_its_order(load: Any, content: dict[str, Any]) -> None:
    results = load(content)
    text = export(winner_config(results), "yaml", header(collect(results)))
    assert text.split("\n")[:3] == [
        "# study cifar100-cs_kd, arm search/7 (cs_kd on cifar100, preact_resnet18)",
        "# test/top1_error 22.32 ± 0.05 (mean ± sample std over n=3 fresh seeds)",
        "# reproduce: cskd train best_config.yaml --test",
    ]
    assert yaml.safe_load(text) == winner_config(results)
    assert list(yaml.safe_load(text)) == ["dataset", "model", "method", "training", "train_on", "seed"]


def test_header_before_confirmation(load: Any, unconfirmed: dict[str, Any]) -> None:
    lines = header(collect(load(unconfirmed)), "cskd train x.yaml")
    assert lines[1:] == ("validation/top1_error 22.95: search value, optimistic", "reproduce: cskd train x.yaml")


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), st.floats(allow_nan=False) | st.integers() | st.text() | st.booleans()), st.text())
def test_values_survive_and_a_header_cannot_leave_its_comment(options: dict[str, Any], line: str) -> None:
    config = {"method": options, "milestones": [0.5, 0.75], "seed": 1}
    text = export(config, "yaml", [line, "x: 1\ny: 2\u2028z: 3\x85"])
    assert yaml.safe_load(text) == config
    assert json.loads(export(config, "json")) == config


def test_one_object_used_twice_makes_no_alias(winner: dict[str, Any]) -> None:
    shared = [0.5]
    assert "&" not in export({"a": shared, "b": shared}, "yaml")


def test_flags_are_what_argparse_reads(winner: dict[str, Any]) -> None:
    winner["dataset"]["root"] = "/my data/$HOME"
    winner["training"]["reference_off_by_one"] = False
    line = export(winner, "args")
    assert line.count("\n") == 1
    parser = argparse.ArgumentParser()
    for name, kind in [("temperature", float), ("lambda_cls", float), ("epochs", int), ("weight_decay", float)]:
        parser.add_argument(f"--{name}", type=kind)
    parser.add_argument("--milestones", type=float, nargs="+")
    for name in ("method", "dataset", "dataset.root", "reference_off_by_one"):
        parser.add_argument(f"--{name}")
    found, _ = parser.parse_known_args(shlex.split(line))
    assert vars(found) == {
        "method": "cs_kd",
        "temperature": 4.1,
        "lambda_cls": 0.9,
        "epochs": 200,
        "weight_decay": 1e-4,
        "milestones": [0.5, 0.75],
        "dataset": "cifar100",
        "dataset.root": "/my data/$HOME",
        "reference_off_by_one": "false",
    }


def test_flags_without_a_value_are_left_out(winner: dict[str, Any]) -> None:
    assert "None" not in export(winner, "args")
    assert "fraction" not in export(winner, "args")


def test_an_unknown_format_is_refused(winner: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no format is called 'toml'; there are: yaml, json, args"):
        export(winner, "toml")
