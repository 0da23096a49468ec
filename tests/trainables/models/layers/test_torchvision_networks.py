import torch

from trainables.models.layers.torchvision_import import models
from trainables.models.layers.torchvision_networks import staged_densenet, staged_resnet


def test_all_weights_are_kept():
    with torch.device("meta"):
        for network, staged in (
            (models.resnet18(), staged_resnet(models.resnet18())),
            (models.densenet121(), staged_densenet(models.densenet121())),
        ):
            assert sum(p.numel() for p in staged.parameters()) == sum(p.numel() for p in network.parameters())


def test_maps_of_a_densenet_halve_from_stage_to_stage():
    network = staged_densenet(models.densenet121(num_classes=5)).eval()
    with torch.inference_mode():
        shapes = [tuple(maps.shape[1:]) for maps in network.feature_maps(torch.zeros(1, 3, 64, 64))]
    assert shapes == [(256, 16, 16), (512, 8, 8), (1024, 4, 4), (1024, 2, 2)]
