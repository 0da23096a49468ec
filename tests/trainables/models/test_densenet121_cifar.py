import pytest
import torch

from trainables.errors import ConfigError
from trainables.models.densenet121_cifar import Densenet121Cifar

PARAMETERS = [
    (100, 7_048_548),
    (200, 7_151_048),
    (120, 7_069_048),
    (67, 7_014_723),
    (387, 7_342_723),
    (1000, 7_971_048),
]


@pytest.mark.parametrize(("classes", "expected"), PARAMETERS)
def test_has_the_published_number_of_parameters(classes, expected):
    with torch.device("meta"):
        network = Densenet121Cifar().build(classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_feature_maps_have_the_published_shapes():
    network = Densenet121Cifar().build(5).eval()
    with torch.inference_mode():
        shapes = [tuple(maps.shape[1:]) for maps in network.feature_maps(torch.zeros(1, 3, 32, 32))]
    assert shapes == [(256, 32, 32), (512, 16, 16), (1024, 8, 8), (1024, 4, 4)]


def test_the_growth_rate_can_be_reduced():
    with torch.device("meta"):
        network = Densenet121Cifar(growth=12).build(100)
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_035_268


def test_images_of_another_size_are_refused():
    Densenet121Cifar().check_images(32, 32)
    with pytest.raises(ConfigError, match="takes 32x32 images, but those of the data set are 64x64; use densenet121"):
        Densenet121Cifar().check_images(64, 64)
