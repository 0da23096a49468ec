import pytest
import torch

from trainables.models.layers.torchvision_import import models
from trainables.models.resnet18 import Resnet18

PARAMETERS = [
    (100, 11_227_812),
    (200, 11_279_112),
    (120, 11_238_072),
    (67, 11_210_883),
    (387, 11_375_043),
    (1000, 11_689_512),
]


@pytest.mark.parametrize(("classes", "expected"), PARAMETERS)
def test_has_the_published_number_of_parameters(classes, expected):
    with torch.device("meta"):
        network = Resnet18().build(classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_the_logits_equal_those_of_torchvision():
    torch.manual_seed(0)
    reference = models.resnet18(num_classes=5).eval()
    torch.manual_seed(0)
    network, images = Resnet18().build(5).eval(), torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), reference(images))
