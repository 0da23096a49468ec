import torch
from torch import nn

from trainables.models.layers.densenet import DenseLayer, densenet, transition


def test_new_maps_come_before_the_old_ones():
    layer, x = DenseLayer(6, growth=2).eval(), torch.randn(2, 6, 4, 4)
    y = layer(x)
    assert y.shape == (2, 8, 4, 4)
    assert torch.equal(y[:, 2:], x)


def test_the_layer_has_the_published_order():
    layer, x = DenseLayer(6, growth=2).eval(), torch.randn(2, 6, 4, 4)
    narrow = layer.conv1(layer.bn1(x).relu())
    assert narrow.shape[1] == 8
    torch.testing.assert_close(layer(x)[:, :2], layer.conv2(layer.bn2(narrow).relu()))


def test_a_transition_halves_maps_and_size():
    assert transition(8, 4)(torch.zeros(2, 8, 6, 6)).shape == (2, 4, 3, 3)


def test_the_stem_has_no_batch_norm_and_no_bias():
    network = densenet((1, 1), 4, 3)
    assert isinstance(network.stem, nn.Conv2d)
    assert network.stem.bias is None
