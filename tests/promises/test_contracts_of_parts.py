"""Contracts that every method, built-in or custom, fulfils with every model in the same trainer."""

import copy
from functools import cache

import pytest
import torch

from tests.kit.inputs.training import OwnHead, patterns, small_config
from trainables.interfaces import Outputs, registry
from trainables.runs import checkpoint_names
from trainables.runs.run_directory import Outcome
from trainables.training.run import Run
from trainables.training.trainer import Trainer, all_finite
from trainables.training.training_data import open_training_data

CPU = torch.device("cpu")
OWN = f"{OwnHead.__module__}:OwnHead"
METHODS = [*registry.available("methods"), OWN]
SMALL = {
    "preact_resnet10": {"name": "preact_resnet10", "width": 8, "input_size": 32},
    "preact_resnet18": {"name": "preact_resnet18", "width": 4, "input_size": 32},
    "densenet121_cifar": {"name": "densenet121_cifar", "growth": 2},
    "resnet10": {"name": "resnet10"},
}
TINY = {"name": "preact_resnet10", "width": 8, "input_size": 8}


@pytest.fixture(scope="session")
def teachers(tmp_path_factory):
    """Function that returns the checkpoint of a network trained on images of a size."""

    @cache
    def checkpoint(size):
        folder = tmp_path_factory.mktemp(f"teacher-{size}")
        model = {"name": "preact_resnet10", "width": 4, "input_size": size}
        config = small_config("cross_entropy", model=model, dataset=patterns(size), epochs=2)
        run = Run(config, folder, keep_checkpoint=True)
        while not isinstance(run.advance(), Outcome):
            pass
        return checkpoint_names.generations(folder / "checkpoints")[0]

    return checkpoint


@pytest.fixture
def config_of(teachers):
    """Function that builds the configuration of a method, with a teacher if it needs one."""

    def build(method, model, size=8, **training):
        options = {"name": method}
        if registry.load("methods", method)().pretrained() is not None:
            options["teacher"] = {"checkpoint": str(teachers(size))}
        options |= training.pop("options", {})
        return small_config(options, model=model, dataset=patterns(size), **training)

    return build


def trainer(config):
    return Trainer(config, open_training_data(config.dataset, config.train_on, CPU), CPU)


class Watching:
    """Forwards a method's calls and records the outputs of the teachers."""

    def __init__(self, network):
        self._network = network
        self.taught = []

    @property
    def classifier(self):
        return self._network.classifier

    def student(self, images):
        return self._network.student(images)

    def teacher(self, images):
        return self._keep(self._network.teacher(images))

    def averaged(self, images):
        return self._keep(self._network.averaged(images))

    def pretrained(self, images):
        return self._keep(self._network.pretrained(images))

    def _keep(self, outputs):
        self.taught.append(outputs)
        return outputs


@pytest.mark.parametrize("model", SMALL)
@pytest.mark.parametrize("method", METHODS)
def test_a_step_is_finite_reaches_every_weight_and_no_teacher(config_of, method, model):
    made = trainer(config_of(method, SMALL[model], 32))
    made.model.train()
    batch, network = next(made._batches()), Watching(made._workbench.network)
    terms = made.config.method.loss_terms(network, batch, made._workbench.step.values)
    for value in (terms.total, *terms.parts.values()):
        assert value.shape == ()
        assert value.dtype is torch.float32
        assert torch.isfinite(value)
    assert terms.logits is None or terms.logits.shape == (16, 4)
    assert all(name.isidentifier() for name in terms.parts)
    terms.total.backward()
    for name, parameter in made.model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    assert not any(outputs.logits.requires_grad or outputs.features.requires_grad for outputs in network.taught)


@pytest.mark.parametrize("method", registry.available("methods"))
def test_the_loss_is_float32_where_the_network_is_not(config_of, method):
    made = trainer(config_of(method, TINY))
    made._workbench.network.precision = torch.bfloat16
    step = made._workbench.step
    step(next(made._batches()))
    assert step._sums.dtype is torch.float32
    averages = step.averages(16)
    assert next(iter(averages)) == "train/loss"
    assert all_finite(averages)
    terms = made.config.method.loss_terms(made._workbench.network, next(made._batches()), made._workbench.step.values)
    assert all(value.dtype is torch.float32 for value in (terms.total, *terms.parts.values()))


@pytest.mark.parametrize("method", METHODS)
def test_evaluation_reports_the_network_and_the_declared_readouts(config_of, method):
    made = trainer(config_of(method, TINY))
    values, predictions = made.evaluate(made._data.validation, "validation", final=True)
    assert predictions.logits.shape == (32, 4)
    assert predictions.features.shape == (32, 64)
    made.model.eval()
    with torch.inference_mode():
        outputs = made._workbench.network.student(made._data.validation.store.plain(torch.arange(32)))
        readouts = made.config.method.readouts(outputs, made._workbench.network.classifier)
        torch.testing.assert_close(made.model.classifier(outputs.features), outputs.logits)
    assert isinstance(outputs, Outputs)
    assert len(outputs.exits) == len(made.config.method.exits())
    assert {name.split("/")[1] for name in values if name.count("/") == 2} == set(readouts)
    for name in readouts:
        assert 0 <= values[f"validation/{name}/top1_error"] <= 1


@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_run_equals_an_uninterrupted_one(config_of, tmp_path, method):
    config = config_of(method, TINY, epochs=3)
    unbroken, broken = Run(config, tmp_path / "unbroken"), Run(config, tmp_path / "broken")
    for run, epochs in ((unbroken, 3), (broken, 1)):
        for _ in range(epochs):
            run.advance()
        run._writer.wait()
    resumed = Run(config, tmp_path / "broken", attempt=2)
    assert resumed.epoch == 1
    for _ in range(2):
        outcome = resumed.advance()
    assert outcome.metrics == unbroken._directory.outcome().metrics
    assert ("average" in unbroken._trainer.state_dict()) == (config.method.averaging() is not None)
    for part in {"model", "optimizer", "average"} & unbroken._trainer.state_dict().keys():
        expected, found = (flat(run._trainer.state_dict()[part]) for run in (unbroken, resumed))
        assert expected.keys() == found.keys()
        assert all(torch.equal(torch.as_tensor(found[key]), torch.as_tensor(value)) for key, value in expected.items())


def flat(state, prefix=""):
    """Returns the tensors and numbers of a nested state by path."""
    if isinstance(state, dict):
        return {path: leaf for key, value in state.items() for path, leaf in flat(value, f"{prefix}/{key}").items()}
    if isinstance(state, list):
        return flat(dict(enumerate(state)), prefix)
    return {} if state is None else {prefix: state}


@pytest.mark.parametrize("method", METHODS)
def test_the_optimizer_trains_every_weight(config_of, method):
    made = trainer(config_of(method, TINY))
    held = {id(parameter) for group in made._workbench.step.optimizer.param_groups for parameter in group["params"]}
    assert held == {id(parameter) for parameter in made.model.parameters()}
    before = {name: parameter.detach().clone() for name, parameter in made.model.named_parameters()}
    made.run_epoch()
    assert not [name for name, parameter in made.model.named_parameters() if torch.equal(parameter, before[name])]


@pytest.mark.parametrize("method", METHODS)
def test_64_images_are_memorised(config_of, method):
    made = trainer(config_of(method, TINY, epochs=30))
    for _ in range(30):
        made.run_epoch()
    values, _ = made.evaluate(made._data.train, "train", final=False)
    assert values["train/top1_error"] == 0


WITHOUT_WEIGHT = {
    "cs_kd": ("cross_entropy", {"lambda_cls": 0}),
    "label_smoothing": ("cross_entropy", {"epsilon": 0}),
    "max_entropy": ("cross_entropy", {"beta": 0}),
    "kd": ("cross_entropy", {"lambda_kd": 0}),
    "kd_cs_kd": ("cross_entropy", {"lambda_kd": 0, "lambda_cls": 0}),
    "mixup_cs_kd": ("mixup", {"lambda_cls": 0}),
}


@pytest.mark.parametrize("method", WITHOUT_WEIGHT)
def test_a_weight_of_zero_gives_the_gradients_of_the_plain_loss(config_of, method):
    plain, options = WITHOUT_WEIGHT[method]
    gradients = []
    for made in (trainer(config_of(method, TINY, options=options)), trainer(config_of(plain, TINY))):
        made.model.train()
        made.config.method.loss_terms(
            made._workbench.network, next(made._batches()), made._workbench.step.values
        ).total.backward()
        gradients.append({name: parameter.grad for name, parameter in made.model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_starts_from_the_same_weights(config_of, method):
    made, plain = trainer(config_of(method, TINY)), trainer(config_of("cross_entropy", TINY))
    reference = plain.model.state_dict()
    shared = {
        key: value for key, value in made.model.state_dict().items() if not key.startswith(("exits", "classifier"))
    }
    assert all(torch.equal(value, reference[key]) for key, value in shared.items())


@pytest.mark.parametrize("method", ["kd", "kd_cs_kd"])
def test_a_trained_teacher_is_not_changed(config_of, method):
    made = trainer(config_of(method, TINY))
    teacher = made._workbench.network._pretrained.model
    before = copy.deepcopy(teacher.state_dict())
    made.run_epoch()
    assert not teacher.training
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())
