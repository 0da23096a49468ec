import pytest
import torch

from trainables.models.resnext101_32x4d import Resnext10132x4d

PARAMETERS = [
    (1000, 44_177_704),
]


@pytest.mark.parametrize(("classes", "expected"), PARAMETERS)
def test_has_the_published_number_of_parameters(classes, expected):
    with torch.device("meta"):
        network = Resnext10132x4d().build(classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_has_32_groups_of_4_channels():
    with torch.device("meta"):
        convolution = Resnext10132x4d().build(5).stages[0][0].conv2
    assert (convolution.groups, convolution.out_channels) == (32, 128)
