import pytest
from pydantic import ValidationError

from trainables.config import TrainConfig, Training, part_from
from trainables.methods.cs_kd import CsKd


def config(**changes):
    content = {
        "dataset": "digits",
        "model": {"name": "preact_resnet10", "width": 4, "input_size": 8},
        "method": "cs_kd",
    }
    return TrainConfig.model_validate(content | changes)


def test_learning_rate_matches_golden(golden):
    for case in golden["lr_schedule"]["cases"]:
        for key, off_by_one in (("lr_paper", False), ("lr_reference_off_by_one", True)):
            training = Training(epochs=case["epochs"], lr=case["base_lr"], reference_off_by_one=off_by_one)
            found = [training.learning_rate(epoch) for epoch in case["epoch_index_zero_based"]]
            assert found == pytest.approx(case[key], rel=1e-8)


def test_learning_rate_counts_match_golden(golden):
    for case in golden["lr_schedule"]["cases"]:
        for key, off_by_one in (("counts_paper", False), ("counts_reference", True)):
            training = Training(epochs=case["epochs"], lr=case["base_lr"], reference_off_by_one=off_by_one)
            rates = [round(training.learning_rate(epoch), 12) for epoch in range(case["epochs"])]
            assert {rate: rates.count(rate) for rate in rates} == {float(lr): n for lr, n in case[key].items()}


def test_a_config_is_rebuilt_from_what_it_dumps():
    original = config(method={"name": "cs_kd", "temperature": 2}, seed=7, training={"epochs": 3, "lr": "5e-2"})
    dump = original.model_dump(mode="json")
    assert dump["method"] == {
        "name": "cs_kd",
        "temperature": 2.0,
        "lambda_cls": 1.0,
        "lambda_e": 0.0,
        "partner_may_equal_anchor": True,
    }
    assert TrainConfig.model_validate(dump) == original
    assert TrainConfig.model_validate(dump).digest() == original.digest()


def test_a_part_is_given_as_name_mapping_or_object():
    assert part_from("methods", "cs_kd") == part_from("methods", {"name": "cs_kd"}) == part_from("methods", CsKd())


@pytest.mark.parametrize("value", [None, 3, [], {}, {"temperature": 1.0}, {"name": 3}])
def test_a_part_without_a_name_is_refused_with_all_names(value):
    with pytest.raises(ValueError, match=r"give the name of one of: .*cs_kd"):
        part_from("methods", value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "cskd"}, "did you mean 'cs_kd'"),
        ({"method": {"name": "cs_kd", "temprature": 2}}, "temprature"),
        ({"method": {"name": "cs_kd", "temperature": -1}}, "temperature"),
        ({"method": CsKd}, "give the name"),
        ({"model": {"name": "preact_resnet10", "input_size": 9}}, "input_size"),
        ({"dataset": {"name": "digits", "validation": {"fraction": 0.1, "per_class": 3}}}, "not both"),
        ({"dataset": {"name": "digits", "validation": {}}}, "per_class"),
        ({"training": {"lr": "fast"}}, "lr"),
        ({"training": {"lr": float("nan")}}, "lr"),
        ({"training": {"milestones": [0.75, 0.5]}}, "rising fractions"),
        ({"training": {"milestones": [0.5, 0.5]}}, "rising fractions"),
        ({"training": {"milestones": [100, 150]}}, "rising fractions"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"epochs": 3}, "epochs"),
    ],
)
def test_a_mistake_is_refused_and_named(changes, message):
    with pytest.raises(ValidationError, match=message):
        config(**changes)


def test_a_part_of_another_kind_is_refused():
    with pytest.raises(ValidationError, match="method"):
        config(method="trainables.models.preact_resnet10:PreactResnet10")


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"train_on": "full"},
        {"method": {"name": "cs_kd", "temperature": 2.0}},
        {"method": "cross_entropy"},
        {"training": {"lr": 0.2}},
        {"dataset": {"name": "digits", "validation": {"per_class": 5}}},
        {"dataset": {"name": "digits", "subset": {"classes": 4}}},
    ],
)
def test_the_digest_covers_options_that_affect_the_outcome(changes):
    assert config(**changes).digest() != config().digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": {"name": "digits", "root": "elsewhere"}},
        {"training": {"checkpoint_seconds": 0}},
        {"training": {"device": "cpu"}},
        {"method": {"name": "cs_kd", "temperature": 4}},
    ],
)
def test_the_digest_excludes_options_that_do_not(changes):
    assert config(**changes).digest() == config().digest()


def test_a_milestone_is_not_late_by_rounding():
    training = Training(epochs=100, lr=1.0, milestones=(0.55,))  # 0.55 * 100 is a little more than 55
    assert [round(training.learning_rate(epoch), 3) for epoch in (54, 55)] == [1.0, 0.1]


def test_the_digest_excludes_the_memory_limit_of_images():
    first, second = (config(dataset={"name": "cub200", "memory_limit": limit}) for limit in ("1GiB", 0))
    assert first.digest() == second.digest()
    assert first.digest() != config(dataset={"name": "cub200", "crop": 64}).digest()
