import pytest
from pydantic import ValidationError

from tests.kit.inputs.training import small_config
from trainables.config import TrainConfig
from trainables.interfaces.error_messages import one_line_per_mistake

GOOD = small_config().model_dump(mode="json")


def lines_of(content) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        TrainConfig.model_validate(content)
    return one_line_per_mistake(caught.value)


def with_training(**changes) -> dict:
    return GOOD | {"training": GOOD["training"] | changes}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (GOOD | {"sede": 1}, "sede: unknown key; did you mean 'seed'?"),
        (GOOD | {"zzz": 1}, "zzz: unknown key"),
        (with_training(epoch=3), "training.epoch: unknown key; did you mean 'epochs'?"),
        (
            with_training(lr="fast"),
            "training.lr: input should be a valid number, not 'fast'",
        ),
        (with_training(epochs=0), "training.epochs: input should be greater than or equal to 1, not 0"),
        (
            with_training(milestones=[0.5, 0.5]),
            "training: milestones are rising fractions of the epochs between 0 and 1, such as [0.5, 0.75]",
        ),
        (GOOD | {"method": "cskd"}, "method: no method is called 'cskd'; did you mean 'cs_kd'?"),
        (
            GOOD | {"method": {"name": "cs_kd", "temprature": 2}},
            "method: temprature: unknown key; did you mean 'temperature'?",
        ),
        (
            GOOD | {"dataset": {"name": "digits", "validation": {"per_clas": 5}}},
            "dataset: validation.per_clas: unknown key; did you mean 'per_class'?",
        ),
        ({key: GOOD[key] for key in GOOD if key != "method"}, "method: is missing"),
    ],
)
def test_a_mistake_is_reported_in_one_line(content, line):
    assert lines_of(content) == [line]


def test_each_mistake_has_one_line():
    content = with_training(epochs=-1, lr="x") | {"sed": 1}
    assert [line.split(":")[0] for line in lines_of(content)] == ["training.epochs", "training.lr", "sed"]


def test_a_long_value_is_shortened():
    (line,) = lines_of(with_training(lr="9" * 50 + "x" * 500))
    assert line.endswith("...")
    assert len(line) < 160
