import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.metrics import METRICS
from trainables.metrics.metric_name import MetricName

QUANTITIES = st.text(min_size=1).filter(lambda text: "/" not in text)


@pytest.mark.parametrize(
    ("text", "split", "quantity"),
    [
        ("validation/top1_error", "validation", "top1_error"),
        ("best_test/top1_error", "best_test", "top1_error"),
        ("train/loss", "train", "loss"),
        ("test/exit1/nll", "test/exit1", "nll"),  # a readout of the method
        ("top1_error", "", "top1_error"),
    ],
)
def test_a_name_is_parsed_and_printed(text, split, quantity):
    name = MetricName.parse(text)
    assert name == (split, quantity)
    assert str(name) == text


@pytest.mark.parametrize("quantity", METRICS)
def test_every_metric_is_the_quantity_of_its_name(quantity):
    assert MetricName.parse(f"validation/{quantity}").quantity == quantity


@given(st.text(), QUANTITIES)
def test_a_printed_name_is_parsed_to_the_same_name(split, quantity):
    name = MetricName(split, quantity)
    assert MetricName.parse(str(name)) == name


@given(QUANTITIES)
def test_a_name_without_a_split_is_a_quantity_alone(quantity):
    assert MetricName.parse(quantity) == MetricName("", quantity)
