import torch
from torch import nn

from trainables.models.layers.staged import StagedNetwork


def build():
    torch.manual_seed(0)
    stages = [nn.Conv2d(2, 4, 1), nn.Conv2d(3, 5, 1)]
    return StagedNetwork(
        nn.Conv2d(3, 2, 1),
        stages,
        nn.Linear(5, 7),
        between=[nn.Sequential(nn.Conv2d(4, 3, 1), nn.AvgPool2d(2))],
        last=nn.ReLU(),
    )


def test_maps_are_those_of_the_stages_and_the_last_is_activated():
    network, images = build(), torch.randn(2, 3, 8, 8)
    first, last = network.feature_maps(images)
    assert first.shape == (2, 4, 8, 8)
    assert last.shape == (2, 5, 4, 4)
    torch.testing.assert_close(last, network.stages[1](network.between[0](first)).relu())


def test_features_are_the_mean_of_the_last_map():
    network, images = build(), torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(network.features(images), network.feature_maps(images)[-1].mean(dim=(2, 3)))
    torch.testing.assert_close(network(images), network.classifier(network.features(images)))


def test_layers_between_and_after_the_stages_are_optional():
    network = StagedNetwork(nn.Identity(), [nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1)], nn.Linear(5, 2))
    assert [maps.shape[1] for maps in network.feature_maps(torch.zeros(1, 3, 4, 4))] == [4, 5]
