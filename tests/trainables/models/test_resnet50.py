import pytest
import torch

from trainables.models.resnet50 import Resnet50

PARAMETERS = [
    (100, 23_712_932),
    (200, 23_917_832),
    (120, 23_753_912),
    (67, 23_645_315),
    (387, 24_300_995),
    (1000, 25_557_032),
]


@pytest.mark.parametrize(("classes", "expected"), PARAMETERS)
def test_has_the_published_number_of_parameters(classes, expected):
    with torch.device("meta"):
        network = Resnet50().build(classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_the_stride_is_in_the_3x3_convolution():
    with torch.device("meta"):
        block = Resnet50().build(5).stages[1][0]
    assert (block.conv1.stride, block.conv2.stride) == ((1, 1), (2, 2))
