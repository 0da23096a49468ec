import pytest
import torch

from tests.kit.inputs.training import DropoutNet, OwnHead
from trainables.config import part_from
from trainables.errors import ConfigError
from trainables.interfaces import registry
from trainables.training.network import Network, build_network

CPU = torch.device("cpu")
MODEL = {"name": "preact_resnet10", "width": 4, "input_size": 8}


def test_head_and_branches_are_part_of_the_network():
    network = build_network(part_from("models", MODEL), OwnHead(), 3, 8, 8)
    assert network.classifier.bias is None
    assert network.exits["2"].classifier.weight.shape == (3, 8)
    assert {"classifier.weight", "exits.2.classifier.weight"} <= network.state_dict().keys()


def test_building_keeps_batch_norm_unchanged_and_the_network_in_train_mode():
    network = build_network(part_from("models", MODEL), part_from("methods", "byot"), 3, 8, 8)
    assert network.training
    assert all(value == 0 for name, value in network.state_dict().items() if name.endswith("num_batches_tracked"))


def test_a_model_without_feature_maps_has_no_exits():
    with pytest.raises(ConfigError, match="has no feature_maps, which a method with exits needs"):
        build_network(DropoutNet(), part_from("methods", "byot"), 3, 8, 8)


class ExitsOnly(registry.load("methods", "cross_entropy")):
    def exits(self) -> tuple[int, ...]:
        return (1,)


def test_a_method_with_exits_but_no_branch_is_refused():
    with pytest.raises(ConfigError, match="declares exits but no branch"):
        build_network(part_from("models", MODEL), ExitsOnly(), 3, 8, 8)


def test_a_student_has_exits_and_a_teacher_no_gradient():
    network = Network(build_network(part_from("models", MODEL), OwnHead(), 3, 8, 8), CPU, torch.float32)
    images = torch.randn(2, 3, 8, 8)
    student, teacher = network.student(images), network.teacher(images)
    assert student.logits.requires_grad
    assert not teacher.logits.requires_grad
    ((logits, features, _),) = student.exits
    assert (logits.shape, features.shape) == ((2, 3), (2, 8))
    torch.testing.assert_close(network.classifier(student.features), student.logits)


def test_a_pass_in_evaluation_mode_does_not_change_the_network():
    network = Network(build_network(part_from("models", MODEL), OwnHead(), 3, 8, 8), CPU, torch.float32)
    images = 2 * torch.randn(8, 3, 8, 8) + 1
    network.student(images)
    before = {name: value.clone() for name, value in network.model.state_dict().items()}
    found = network.evaluated(images)
    assert network.model.training
    assert all(module.training for module in network.model.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.model.state_dict().items())
    assert not found.logits.requires_grad
    assert not torch.allclose(found.logits, network.teacher(images).logits, atol=1e-3)
    network.model.load_state_dict(before)
    torch.testing.assert_close(found.logits, network.model.eval()(images))


def test_an_undeclared_teacher_is_refused():
    network = Network(build_network(part_from("models", MODEL), OwnHead(), 3, 8, 8), CPU, torch.float32)
    with pytest.raises(ConfigError, match="declares none"):
        network.pretrained(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ConfigError, match="declares no averaging"):
        network.averaged(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("name", registry.available("models"))
def test_every_model_can_have_exits(name):
    size = 32 if "cifar" in name or "preact" in name else 64
    options = {"width": 4} if "preact" in name else {"growth": 4} if name == "densenet121_cifar" else {}
    network = Network(
        build_network(part_from("models", {"name": name} | options), part_from("methods", "byot"), 3, size, size),
        CPU,
        torch.float32,
    )
    outputs = network.teacher(torch.randn(2, 3, size, size))
    assert [exit_.logits.shape for exit_ in outputs.exits] == 3 * [(2, 3)]
    assert {exit_.features.shape for exit_ in outputs.exits} == {outputs.features.shape}
