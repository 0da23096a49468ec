import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the name in PyTorch's documentation

from tests.kit.inputs.training import small_config
from trainables.errors import CheckpointError
from trainables.metrics import classification
from trainables.training import evaluation
from trainables.training.trainer import Trainer, all_finite
from trainables.training.training_data import open_training_data

CPU = torch.device("cpu")
CS_KD = {"name": "cs_kd", "temperature": 3.0, "lambda_cls": 2.0}
CS_KD_E = CS_KD | {"lambda_e": 0.7}


def trainer(method="cs_kd", **changes) -> Trainer:
    config = small_config(method, **changes)
    return Trainer(config, open_training_data(config.dataset, config.train_on, CPU), CPU)


def first_batch(made: Trainer):
    return next(iter(made._pipeline.batches(0)))


def plain_loss(model: nn.Module, batch, temperature: float, lambda_cls: float, lambda_e: float) -> torch.Tensor:
    """Equation 1 and the term of section 3.4 in plain PyTorch, independent of this project; float64."""
    anchor = model(batch.views["anchor"].double())
    loss = F.cross_entropy(anchor, batch.labels)
    for name, weight in (("partner", lambda_cls), ("plain", lambda_e)):
        if name in batch.views:
            with torch.no_grad():
                target = F.softmax(model(batch.views[name].double()) / temperature, dim=1)
            log_p = F.log_softmax(anchor / temperature, dim=1)
            loss = loss + weight * temperature**2 * F.kl_div(log_p, target, reduction="batchmean")
    return loss


@pytest.mark.parametrize(
    ("method", "numbers"),
    [("cross_entropy", (1, 0, 0)), (CS_KD, (3.0, 2.0, 0)), (CS_KD_E, (3.0, 2.0, 0.7))],
    ids=["cross_entropy", "cs_kd", "cs_kd_e"],
)
def test_a_step_follows_equation_1(method, numbers):
    made = trainer(method)
    batch = first_batch(made)
    made.model.train()
    before = {name: parameter.detach().clone() for name, parameter in made.model.named_parameters()}
    model = copy.deepcopy(made.model).double()
    loss = plain_loss(model, batch, *numbers)
    loss.backward()
    training = made.config.training
    step = made._workbench.step
    step.begin_epoch(training.lr, 0)
    step(batch)
    assert step.averages(16)["train/loss"] == pytest.approx(float(loss.detach()), rel=1e-5)
    for (name, parameter), plain in zip(made.model.named_parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad.double(), plain.grad, rtol=1e-4, atol=1e-5)
        expected = before[name] - training.lr * (parameter.grad + training.weight_decay * before[name])
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-6, atol=1e-7)


def test_without_its_weight_cs_kd_has_the_gradient_of_cross_entropy():
    gradients = []
    for method in ({"name": "cs_kd", "lambda_cls": 0.0}, "cross_entropy"):
        made = trainer(method)
        made.model.train()
        made._workbench.step(first_batch(made))
        gradients.append([parameter.grad for parameter in made.model.parameters()])
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("method", "passes"), [("cross_entropy", 1), (CS_KD, 2), (CS_KD_E, 3)])
def test_each_forward_pass_updates_the_batch_norm_statistics_once(method, passes):
    made = trainer(method)
    made.run_epoch()
    norms = [module for module in made.model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {int(norm.num_batches_tracked) for norm in norms} == {passes * 4}


def test_a_step_never_waits_for_the_device(monkeypatch):
    made = trainer(CS_KD_E)
    made.model.train()
    batch = first_batch(made)

    def refuse(*_):
        raise AssertionError("the step reads a value of the device")

    reads = ("item", "tolist", "cpu", "numpy", "nonzero", "__bool__", "__float__", "__int__", "__index__", "__array__")
    with monkeypatch.context() as patched:
        for name in reads:
            patched.setattr(torch.Tensor, name, refuse)
        with pytest.raises(AssertionError, match="reads a value"):
            bool(batch.labels[0])
        made._workbench.train(batch)
    assert all_finite(made._workbench.step.averages(16))


def test_an_epoch_reads_its_sums_once_and_averages_over_anchors(monkeypatch):
    made, twin = trainer(CS_KD, batch_size=21), trainer(CS_KD, batch_size=21)  # 21, 21 and 22 anchors
    step, expected = twin._workbench.step, []
    for batch in twin._pipeline.batches(0):
        step.begin_epoch(made.config.training.lr, 0)
        step(batch)
        expected.append(torch.tensor(list(step.averages(1).values())))
    reads, read = [], torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda tensor: reads.append(tensor) or read(tensor))
    found = made.run_epoch()
    assert len(reads) == 1
    assert list(found) == ["train/loss", "train/ce", "train/cls", "train/top1_error"]
    assert list(found.values()) == pytest.approx(read(sum(expected) / 64), rel=1e-6)
    assert found["train/loss"] == pytest.approx(found["train/ce"] + 2 * found["train/cls"], rel=1e-5)
    assert (found["train/top1_error"] * 64).is_integer()


def test_the_learning_rate_is_divided_at_the_milestones():
    made = trainer("cross_entropy", lr=0.08, epochs=4)
    rates = []
    for _ in range(4):
        made.run_epoch()
        rates.append(float(made._workbench.step.optimizer.param_groups[0]["lr"]))
    assert rates == pytest.approx([0.08, 0.08, 0.008, 0.0008])
    assert made.epoch == 4


@pytest.mark.parametrize("method", ["cross_entropy", CS_KD_E])
def test_64_images_are_memorised(method):
    wide = {"name": "preact_resnet10", "width": 16, "input_size": 8}
    made = trainer(method, model=wide, epochs=80, batch_size=64, lr=0.1, weight_decay=0)
    errors = [made.run_epoch()["train/top1_error"] for _ in range(80)]
    measured, _ = made.evaluate(made._data.train, "train", final=False)
    assert errors[0] > 0.4
    assert errors[-20:].count(0) >= 10
    assert measured["train/top1_error"] == 0


def test_evaluate_uses_the_predictions_of_predict(monkeypatch):
    made = trainer()
    made.run_epoch()
    validation = made._data.validation
    whole = made.predict(validation)
    monkeypatch.setattr(evaluation, "PIXELS_ON_CPU", 10 * 64)
    state = copy.deepcopy(made.state_dict())
    values, found = made.evaluate(validation, "validation", final=False)
    np.testing.assert_allclose(found.logits, whole.logits, rtol=1e-5, atol=1e-5)
    assert np.array_equal(found.labels, validation.images.labels)
    assert values == {
        f"validation/{name}": x for name, x in classification.evaluate(found.logits, found.labels).items()
    }
    final, _ = made.evaluate(validation, "test", final=True)
    assert final.keys() == {f"test/{name}" for name in classification.METRICS}
    assert final["test/recall_at_1"] == classification.recall_at_1(found.features, found.labels)
    torch.testing.assert_close(made.state_dict()["model"], state["model"], rtol=0, atol=0)


def test_predict_is_the_model_in_eval_mode_on_plain_images():
    made = trainer()
    made.run_epoch()
    train = made._data.train  # its store is padded
    found = made.predict(train)
    dataset, model = made.config.dataset, copy.deepcopy(made.model).double().eval()
    images = (train.images.images / 255 - dataset.mean) / dataset.std
    with torch.no_grad():
        features = model.features(torch.from_numpy(images).permute(0, 3, 1, 2))
        logits = model.classifier(features)
    np.testing.assert_allclose(found.features, features.numpy(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.logits, logits.numpy(), rtol=1e-4, atol=1e-4)


def test_the_seed_determines_the_initial_weights():
    first, second, other = (trainer(seed=seed).model.state_dict() for seed in (3, 3, 4))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])


@pytest.mark.parametrize("change", [{"method": CS_KD}, {"seed": 1}, {"lr": 0.01}, {"train_on": "full"}])
def test_the_state_of_another_configuration_is_refused(change):
    with pytest.raises(CheckpointError, match="config_digest"):
        trainer(**change).load_state_dict(trainer().state_dict())


def test_the_state_of_another_split_is_refused():
    state = trainer().state_dict() | {"split_digest": "other"}
    with pytest.raises(CheckpointError, match="split_digest is other"):
        trainer().load_state_dict(state)


def test_finite_means_every_value():
    assert all_finite({"a": 1.0, "b": -2.0})
    assert not all_finite({"a": 1.0, "b": float("nan")})
    assert not all_finite({"a": float("-inf")})
