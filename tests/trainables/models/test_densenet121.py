import pytest
import torch

from trainables.models.densenet121 import Densenet121
from trainables.models.layers.torchvision_import import models

PARAMETERS = [
    (100, 7_056_356),
    (200, 7_158_856),
    (120, 7_076_856),
    (67, 7_022_531),
    (387, 7_350_531),
    (1000, 7_978_856),
]


@pytest.mark.parametrize(("classes", "expected"), PARAMETERS)
def test_has_the_published_number_of_parameters(classes, expected):
    with torch.device("meta"):
        network = Densenet121().build(classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_the_logits_equal_those_of_torchvision():
    torch.manual_seed(0)
    reference = models.densenet121(num_classes=5).eval()
    torch.manual_seed(0)
    network, images = Densenet121().build(5).eval(), torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), reference(images))


def test_the_initialisation_is_the_published_one():
    torch.manual_seed(0)
    network = Densenet121().build(5)
    convolution = network.between[2][2].weight
    assert convolution.std().item() == pytest.approx((2 / convolution.shape[1]) ** 0.5, rel=0.01)
    assert not network.classifier.bias.any()
