import argparse
import json
import re
import shlex
from pathlib import Path
from typing import Any

import hydra
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from analysis.findings.best_config import collect, winner_config
from analysis.findings.export import export, header, of_study
from analysis.records.result_files import ResultsError


@pytest.fixture
def winner(load: Any, content: dict[str, Any]) -> dict[str, Any]:
    return winner_config(load(content))


def with_origin(content: dict[str, Any]) -> dict[str, Any]:
    content["study"]["digests"]["study"] = "5d1f"
    versions = {"python": "3.11.7", "torch": "2.13.0"}
    content["study"]["provenance"] = [{"commit": "old"}, {"commit": "abc+changes", "versions": versions}]
    return content


def test_yaml_states_its_origin_and_keeps_its_order(load: Any, content: dict[str, Any]) -> None:
    results = load(with_origin(content))
    text = export(winner_config(results), "yaml", header(collect(results)))
    assert text.split("\n")[:5] == [
        "# study cifar100-cs_kd, arm search/7 (cs_kd on cifar100, preact_resnet18)",
        "# validation/top1_error 22.95 %: search value, optimistic",
        "# test/top1_error 22.32 ± 0.05 % (mean ± sample std over n=3 fresh seeds: 11, 12, 13)",
        "# schema 1, study digest 5d1f, commit abc+changes, python 3.11.7, torch 2.13.0",
        "# reproduce: cskd train best_config.yaml --test",
    ]
    assert yaml.safe_load(text) == winner_config(results)
    assert list(yaml.safe_load(text)) == ["dataset", "model", "method", "training", "train_on", "seed"]


def test_header_before_confirmation(load: Any, unconfirmed: dict[str, Any]) -> None:
    lines = header(collect(load(unconfirmed)), "cskd train x.yaml")
    assert lines[1:] == (
        "validation/top1_error 22.95 %: search value, optimistic",
        "schema 1",
        "reproduce: cskd train x.yaml",
    )


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), st.floats(allow_nan=False) | st.integers() | st.text() | st.booleans()), st.text())
def test_values_survive_and_a_header_cannot_leave_its_comment(options: dict[str, Any], line: str) -> None:
    config = {"method": options, "milestones": [0.5, 0.75], "seed": 1}
    text = export(config, "yaml", [line, "x: 1\ny: 2\u2028z: 3\x85"])
    assert yaml.safe_load(text) == config
    assert json.loads(export(config, "json")) == config


def test_a_repeated_object_becomes_no_alias(winner: dict[str, Any]) -> None:
    shared = [0.5]
    assert "&" not in export({"a": shared, "b": shared}, "yaml")


def test_flags_are_read_by_argparse(winner: dict[str, Any]) -> None:
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
    with pytest.raises(ValueError, match="unknown format 'toml'; choose from: yaml, json, hydra, args, released"):
        export(winner, "toml")


def test_hydra_composes_the_same_configuration(winner: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "best.yaml").write_text(export(winner, "hydra", ["from a study"]), encoding="utf-8")
    (tmp_path / "train.yaml").write_text("defaults: [_self_, experiment: best]\nseed: 0\nworkers: 4\n")
    with hydra.initialize_config_dir(str(tmp_path), version_base=None):
        found = hydra.compose("train", overrides=["method.lambda_cls=2"])
    winner["method"]["lambda_cls"] = 2
    assert OmegaConf.to_container(found) == {**winner, "workers": 4}


def test_hydras_results_are_overrides_of_the_configuration(load: Any, content: dict[str, Any], tmp_path: Path) -> None:
    content["study"]["distributions"]["training.lr"] = {"low": 0.01, "high": 0.3}
    results = load(content)
    (tmp_path / "optimization_results.yaml").write_text(of_study(results, "optimization_results"))
    found = OmegaConf.load(tmp_path / "optimization_results.yaml")
    assert found == {
        "name": "optuna",
        "best_evaluated_params": {"method.temperature": 4.1, "method.lambda_cls": 0.9, "training.lr": 0.1},
        "best_value": 0.2295,
    }
    config = OmegaConf.create(of_study(results, "yaml"))
    assert all(OmegaConf.select(config, name) == value for name, value in found.best_evaluated_params.items())


def test_the_record_is_flat_with_values_seeds_and_origin(load: Any, content: dict[str, Any]) -> None:
    results = load(with_origin(content))
    found = json.loads(of_study(results, "record"))
    assert not any(isinstance(value, dict) for value in found.values())
    arm = collect(results).arms[0]
    assert (found["validation/top1_error"], found["test/top1_error"]) == (0.2295, arm.test.mean)
    assert (found["test/top1_error.std"], found["test/top1_error.n"]) == (arm.test.std, 3)
    assert found["test/top1_error.seeds"] == [11, 12, 13]
    assert (found["method.temperature"], found["dataset.name"], found["seed"]) == (4.1, "cifar100", 11)
    assert (found["schema"], found["study_digest"], found["versions.torch"]) == (1, "5d1f", "2.13.0")


def test_flags_of_the_released_code_are_parsed_by_its_parser(winner: dict[str, Any]) -> None:
    parser = argparse.ArgumentParser()  # as its train.py declares them
    parser.add_argument("--lr", default=0.1, type=float)
    parser.add_argument("--model", default="CIFAR_ResNet18", type=str)
    parser.add_argument("--batch-size", default=128, type=int)
    parser.add_argument("--epoch", default=200, type=int)
    parser.add_argument("--decay", default=1e-4, type=float)
    parser.add_argument("--dataset", default="cifar100", type=str)
    parser.add_argument("--cls", "-cls", action="store_true")
    parser.add_argument("--temp", default=4.0, type=float)
    parser.add_argument("--lamda", default=1.0, type=float)
    found = vars(parser.parse_args(shlex.split(export(winner, "released"))))
    assert found == {
        **{"lr": 0.1, "model": "CIFAR_ResNet18", "batch_size": 128, "epoch": 200, "decay": 1e-4},
        **{"dataset": "cifar100", "cls": True, "temp": 4.1, "lamda": 0.9},
    }
    winner["method"] = {"name": "cross_entropy"}
    assert not parser.parse_args(shlex.split(export(winner, "released"))).cls


@pytest.mark.parametrize(
    ("part", "change", "named"),
    [
        ("method", {"lambda_e": 0.5}, "lambda_e 0.5"),
        ("method", {"name": "byot"}, "the method byot"),
        ("model", {"name": "resnet50"}, "the model resnet50"),
        ("model", {"width": 16}, "width 16"),
        ("dataset", {"name": "digits"}, "the data set digits"),
        ("training", {"momentum": 0.8}, "momentum 0.8 instead of 0.9"),
        ("training", {"milestones": [0.3]}, "milestones [0.3] instead of [0.5, 0.75]"),
    ],
)
def test_options_without_a_flag_of_the_released_code_are_named(
    winner: dict[str, Any], part: str, change: Any, named: str
) -> None:
    winner[part] |= change
    with pytest.raises(ResultsError, match=re.escape(named)):
        export(winner, "released")
