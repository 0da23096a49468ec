import pytest
import torch

from trainables.models.resnet101 import Resnet101

PARAMETERS = [
    (100, 42_705_060),
    (200, 42_909_960),
    (120, 42_746_040),
    (67, 42_637_443),
    (387, 43_293_123),
    (1000, 44_549_160),
]


@pytest.mark.parametrize(("classes", "expected"), PARAMETERS)
def test_has_the_published_number_of_parameters(classes, expected):
    with torch.device("meta"):
        network = Resnet101().build(classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
