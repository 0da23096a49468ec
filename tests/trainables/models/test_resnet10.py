import pytest
import torch

from trainables.errors import ConfigError
from trainables.models.resnet10 import Resnet10

PARAMETERS = [
    (100, 4_957_092),
    (200, 5_008_392),
    (120, 4_967_352),
    (67, 4_940_163),
    (387, 5_104_323),
    (1000, 5_418_792),
]


@pytest.mark.parametrize(("classes", "expected"), PARAMETERS)
def test_has_the_published_number_of_parameters(classes, expected):
    with torch.device("meta"):
        network = Resnet10().build(classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_feature_maps_have_the_published_shapes():
    network = Resnet10().build(5).eval()
    with torch.inference_mode():
        shapes = [tuple(maps.shape[1:]) for maps in network.feature_maps(torch.zeros(1, 3, 224, 224))]
    assert shapes == [(64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]


def test_convolutions_start_kaiming_normal_by_fan_out():
    torch.manual_seed(0)
    network = Resnet10().build(5)
    weight = network.stages[2][0].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.01)


def test_small_images_are_refused_with_an_alternative():
    Resnet10().check_images(32, 32)
    with pytest.raises(ConfigError, match=r"resnet10: .* 28x28, at least 32x32 are needed; use .* preact_resnet18"):
        Resnet10().check_images(28, 28)
