"""Tests the empirical distribution, for one study and for several."""

import copy

import pytest

from analysis.plots import distribution
from analysis.records import result_files


def test_shares_rise_from_the_best_to_the_worst(load, content) -> None:
    data = distribution.collect(load(content))
    assert data.steps["value"].tolist() == sorted([0.262, 0.251, 0.2381, 0.2442, 0.2295, 0.2320, 0.2295])
    assert data.steps["share"].tolist() == pytest.approx([i / 7 for i in range(1, 8)])
    assert data.baselines["value"].tolist() == [0.2534]
    assert "Median: 23.81 %." in distribution.caption(data)


def test_several_studies_of_one_objective(content, tmp_path) -> None:
    other = copy.deepcopy(content)
    other["study"]["objectives"] = ["validation/nll"]
    studies = []
    for name, each in (("a", content), ("b", content), ("c", other)):
        result_files.write(tmp_path / name / "results", **each)
        studies.append(result_files.read(tmp_path / name / "results"))
    data = distribution.compare(studies)
    assert list(dict.fromkeys(data.steps["study"])) == ["A: cifar100-cs_kd", "B: cifar100-cs_kd"]
    assert len(data.steps) == 14


def test_with_one_trial_there_is_no_figure(load, content) -> None:
    assert distribution.collect(load(content | {"trials": content["trials"][:1]})) is None
