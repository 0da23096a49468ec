import pytest
import torch
from pydantic import ValidationError
from torch import nn

from trainables.errors import ConfigError
from trainables.models.preact_resnet10 import PreactResnet10

PARAMETERS = [
    (100, 4_946_724),
    (200, 4_998_024),
    (120, 4_956_984),
    (67, 4_929_795),
    (387, 5_093_955),
    (1000, 5_408_424),
]


@pytest.mark.parametrize(("classes", "expected"), PARAMETERS)
def test_has_the_published_number_of_parameters(classes, expected):
    with torch.device("meta"):
        network = PreactResnet10().build(classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_has_the_published_number_of_batch_norms():
    with torch.device("meta"):
        network = PreactResnet10().build(10)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == 9


def test_options_reach_the_network():
    network = PreactResnet10(width=4, input_size=16, shortcut="input").build(3)
    assert network.features(torch.zeros(2, 3, 16, 16)).shape == (2, 32)
    assert network(torch.zeros(2, 3, 16, 16)).shape == (2, 3)


@pytest.mark.parametrize("options", [{"input_size": 12}, {"width": 0}, {"shortcut": "none"}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ValidationError, match=next(iter(options))):
        PreactResnet10(**options)


@pytest.mark.parametrize(
    ("height", "width", "remedy"),
    [(8, 8, "set model.input_size: 8"), (30, 30, "a multiple of 8"), (32, 24, "a multiple of 8")],
)
def test_images_of_another_size_are_refused_with_what_to_set(height, width, remedy):
    PreactResnet10().check_images(32, 32)
    with pytest.raises(ConfigError, match=f"preact_resnet10: input_size is 32, .* {height}x{width}; .*{remedy}"):
        PreactResnet10().check_images(height, width)
