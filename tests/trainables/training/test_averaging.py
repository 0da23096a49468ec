"""Averaged weights of a network, compared with the formula and with PyTorch's implementation."""

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tests.kit.inputs.training import OwnHead, small_config, trainer_of
from trainables.errors import CheckpointError
from trainables.models.layers.staged import StagedNetwork
from trainables.training.averaging import AveragedCopy


@pytest.fixture
def network() -> StagedNetwork:
    torch.manual_seed(0)
    stage = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    return StagedNetwork(torch.nn.Identity(), [stage], torch.nn.Linear(4, 2))


def walk(network: torch.nn.Module) -> None:
    """Changes the weights at random."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter))


def test_the_copy_is_the_exponential_moving_average(network: StagedNetwork) -> None:
    copy = AveragedCopy(network)
    expected = [parameter.detach().double() for parameter in network.parameters()]
    for decay in (0.9, 0.99, 0.0, 0.5):  # the decay differs between trials, so it is a tensor
        walk(network)
        copy.update(torch.tensor(decay))
        expected = [
            decay * average + (1 - decay) * w.double()
            for average, w in zip(expected, network.parameters(), strict=True)
        ]
    for found, value in zip(copy.model.parameters(), expected, strict=True):
        torch.testing.assert_close(found.double(), value, rtol=1e-6, atol=1e-6)


def test_the_copy_agrees_with_pytorch(network: StagedNetwork) -> None:
    copy, theirs = AveragedCopy(network), AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.75))
    theirs.update_parameters(network)  # the first call copies
    for _ in range(5):
        walk(network)
        copy.update(torch.tensor(0.75))
        theirs.update_parameters(network)
    for found, expected in zip(copy.model.parameters(), theirs.module.parameters(), strict=True):
        torch.testing.assert_close(found, expected)


def test_reset_is_in_place_and_the_copy_has_no_gradient(network: StagedNetwork) -> None:
    copy = AveragedCopy(network)
    places = [value.data_ptr() for value in copy.model.state_dict().values()]
    walk(network)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    network(torch.randn(8, 3, 4, 4))  # moves the running statistics
    copy.reset()
    assert all(torch.equal(*pair) for pair in zip(copy.model.parameters(), before, strict=True))
    assert all(torch.equal(*pair) for pair in zip(copy.model.buffers(), network.buffers(), strict=True))
    assert [value.data_ptr() for value in copy.model.state_dict().values()] == places
    assert not any(parameter.requires_grad for parameter in copy.model.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_training_updates_the_copy_once_per_step() -> None:
    made = trainer_of(small_config({"name": f"{OwnHead.__module__}:OwnHead", "kept": 0.75}))
    average, step = made._workbench.network.average, made._workbench.step
    expected = [parameter.detach().clone() for parameter in made.model.parameters()]
    step.begin_epoch(0.05, 0)
    for batch in made._batches():
        step(batch)
        expected = [0.75 * own + 0.25 * w.detach() for own, w in zip(expected, made.model.parameters(), strict=True)]
    for found, value in zip(average.model.parameters(), expected, strict=True):
        torch.testing.assert_close(found, value)


def test_a_state_without_the_average_is_refused() -> None:
    made = trainer_of(small_config(f"{OwnHead.__module__}:OwnHead"))
    state = made.state_dict()
    del state["average"]
    with pytest.raises(CheckpointError, match="is of a method without averaged weights"):
        made.load_state_dict(state)
