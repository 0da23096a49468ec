import pytest
import torch
from torch import nn

from trainables.models.layers.preact import PreactBlock, PreactResnet


def build(blocks=(2, 2, 2, 2), num_classes=5, width=4, input_size=8, shortcut="preact"):
    torch.manual_seed(0)
    return PreactResnet(blocks, num_classes, width, input_size, shortcut)


def convolution_of_nothing(block):
    """Sets the weights so that a block returns its shortcut only."""
    nn.init.zeros_(block.conv2.weight)
    return block.eval()


def test_identity_shortcut_carries_the_activated_input():
    x = torch.randn(2, 4, 6, 6)
    block = convolution_of_nothing(PreactBlock(4, 4, 1, "preact"))
    block.bn1.running_mean.fill_(0.5)
    expected = ((x - 0.5) / (1 + block.bn1.eps) ** 0.5).clamp(min=0)
    torch.testing.assert_close(block(x), expected)


def test_identity_shortcut_can_carry_the_input():
    x = torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(convolution_of_nothing(PreactBlock(4, 4, 1, "input"))(x), x)


@pytest.mark.parametrize("shortcut", ["preact", "input"])
def test_projection_takes_the_activated_input(shortcut):
    x = torch.randn(2, 4, 6, 6)
    block = convolution_of_nothing(PreactBlock(4, 8, 2, shortcut))
    expected = nn.functional.conv2d(block.bn1(x).relu(), block.projection.weight, stride=2)
    torch.testing.assert_close(block(x), expected)


def test_the_shortcuts_give_different_logits():
    images = torch.randn(3, 3, 8, 8)
    preact, raw = build(shortcut="preact"), build(shortcut="input")
    assert preact.state_dict().keys() == raw.state_dict().keys()
    raw.load_state_dict(preact.state_dict())
    assert not torch.allclose(preact(images), raw(images))


def test_feature_maps_have_the_published_shapes():
    network = build(blocks=(1, 1, 1, 1), width=64, input_size=32).eval()
    maps = network.stem(torch.zeros(1, 3, 32, 32))
    shapes = []
    for stage in network.stages:
        maps = stage(maps)
        shapes.append(tuple(maps.shape[1:]))
    assert shapes == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]


def test_features_are_pooled_without_activation():
    network, images = build(), torch.randn(16, 3, 8, 8)
    features = network.features(images)
    assert features.shape == (16, 32)
    assert (features < 0).any()
    torch.testing.assert_close(network.eval()(images), network.classifier(network.features(images)))


@pytest.mark.parametrize("size", [(64, 64), (4, 4), (8, 16)])
def test_images_of_another_size_are_refused(size):
    with pytest.raises(ValueError, match=rf"8x8 images and got {size[0]}x{size[1]}"):
        build()(torch.zeros(1, 3, *size))


def test_the_seed_of_torch_determines_the_weights():
    one, other = build(), build()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
