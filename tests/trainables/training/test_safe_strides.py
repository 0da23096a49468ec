"""Strided 1 × 1 convolutions of few channels, compared with double precision and run in a separate process."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from trainables.training.safe_strides import FEWEST_SAFE_CHANNELS, without_unsafe_strides

# Heap corruption is detected when memory is freed: many steps, with blocks of many sizes allocated in each.
STEPS = """
import torch
from torch import nn
from trainables.training.safe_strides import without_unsafe_strides
model = without_unsafe_strides(nn.Conv2d(4, 8, 1, stride=2, bias=False)).to(memory_format=torch.channels_last)
for _ in range(60):
    images = torch.randn(16, 4, 8, 8).to(memory_format=torch.channels_last).requires_grad_()
    model(images).sum().backward()
    model.weight.grad = None
    others = [torch.randn(size) for size in range(1, 200, 7)]
"""


def gradients(model: nn.Conv2d, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    images = images.to(memory_format=torch.channels_last).requires_grad_()
    found = model(images)
    found.square().sum().backward()
    return found, model.weight.grad, images.grad


@pytest.mark.parametrize("channels", [3, 4, 8, 12])
@pytest.mark.parametrize("stride", [2, (3, 2)])
@pytest.mark.parametrize("size", [8, 9, 33])
def test_outputs_and_gradients_are_those_of_the_convolution(
    channels: int, stride: int | tuple[int, int], size: int
) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(channels, 8, 1, stride=stride).double()  # oneDNN has no double precision
    images = torch.randn(16, channels, size, size)
    expected = gradients(plain, images.double())
    made = without_unsafe_strides(copy.deepcopy(plain).float())
    assert made.state_dict().keys() == plain.state_dict().keys()
    for one, other in zip(gradients(made, images), expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-4)


def test_no_memory_is_overwritten() -> None:
    environment = {"OMP_NUM_THREADS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2"}  # the kernel that corrupts the heap
    done = subprocess.run([sys.executable, "-c", STEPS], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_keyword_arguments_and_single_images_are_subsampled_as_well() -> None:
    plain = nn.Conv2d(4, 8, 1, stride=2, padding="valid")
    made = without_unsafe_strides(copy.deepcopy(plain))
    assert made.stride == (1, 1)
    image = torch.randn(4, 9, 8)
    torch.testing.assert_close(made(input=image), plain(image))


@pytest.mark.parametrize(
    "safe",
    [
        nn.Conv2d(FEWEST_SAFE_CHANNELS, 8, 1, stride=2),
        nn.Conv2d(4, 8, 3, stride=2),
        nn.Conv2d(4, 8, 1),
        nn.Conv2d(4, 8, 1, stride=2, padding=1),
        nn.Conv1d(4, 8, 1, stride=2),
    ],
)
def test_other_convolutions_are_unchanged(safe: nn.Conv2d) -> None:
    stride = safe.stride
    assert without_unsafe_strides(nn.Sequential(safe))[0].stride == stride
    assert not safe._forward_pre_hooks
