"""Tests of the studies for the rows of the paper's tables."""

import pytest

from analysis.paper import printed
from study.definition import loading, paper_studies
from trainables.errors import CskdError
from trainables.interfaces import registry

NAMES = paper_studies.names()


def test_every_printed_row_has_a_study() -> None:
    rows = set(printed.rows())
    assert len(rows) == 111
    assert {f"{row.dataset}-{row.model}-{row.method}" for row in rows} <= set(NAMES)
    assert len(NAMES) == 111 + 2  # the mixed set of section 3.3
    assert {row.method for row in rows} - {"cs_kd_e"} == set(registry.available("methods"))


@pytest.mark.parametrize("name", NAMES)
def test_confirmed_runs_are_comparable_with_the_paper(name: str) -> None:
    study = loading.preset(name)
    for run in (study.search_config({}, 0), *(study.control_config(n) for n in range(len(study.controls)))):
        content = run.model_dump(mode="json") | {"train_on": study.confirm.train_on}
        reason = printed.comparable(content)
        assert reason is None or name.startswith("bird_dog_indoor"), reason
    assert len(study.confirm.seeds) == 3


@pytest.mark.parametrize("name", NAMES)
def test_controls_are_the_baseline_and_the_method_without_a_search(name: str) -> None:
    study = loading.preset(name)
    methods = [study.control_config(n).method.part_name() for n in range(len(study.controls))]
    own = study.method.part_name()
    if own == paper_studies.BASELINE:
        assert methods == []
    else:
        assert methods[0] == paper_studies.BASELINE
        assert methods[1:] in ([own], [])


def test_the_control_of_cs_kd_has_the_values_of_the_released_code() -> None:
    for name, weight in (("cifar100-preact_resnet18-cs_kd", 1), ("cub200-resnet18-cs_kd", 3)):
        control = loading.preset(name).control_config(1)
        assert (control.method.temperature, control.method.lambda_cls) == (4, weight)


def test_cs_kd_e_searches_lambda_e_too() -> None:
    study = loading.preset("mit67-resnet18-cs_kd_e")
    assert study.method.part_name() == "cs_kd"
    assert set(study.space()) == {"temperature", "lambda_cls", "lambda_e"}


def test_a_row_without_a_search_space_is_one_trial_with_the_papers_learning_rate() -> None:
    study = loading.preset("imagenet-resnet50-cross_entropy")
    assert study.planned_trials(study.search.trials) == 1
    assert {name: of.low for name, of in study.space().items()} == {"training.lr": 0.1}
    assert [round(study.training.learning_rate(epoch), 4) for epoch in (29, 30, 59, 60)] == [0.1, 0.01, 0.01, 0.001]


def test_a_student_learns_from_the_densenet_of_table_4() -> None:
    study = loading.preset("cub200-resnet10-kd_cs_kd")
    teacher = study.method.pretrained()
    assert teacher is not None
    assert teacher.study is not None
    assert teacher.study.name == "cub200-densenet121-cs_kd"
    assert teacher.study.name in NAMES
    with pytest.raises(CskdError, match=teacher.study.name):  # load needs the teacher; preset does not
        loading.load("cub200-resnet10-kd_cs_kd")
