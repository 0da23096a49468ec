"""A step on a GPU gives the same results eager, recorded and compiled."""

import math

import pytest
import torch

from tests.kit.inputs.training import CS_KD_E, WITHOUT_TEACHER, OwnHead, small_config, trainer_of
from trainables.training.cuda_graph import RecordedStep
from trainables.training.trainer import Trainer

OWN = f"{OwnHead.__module__}:OwnHead"  # uses averaged weights and the progress of the run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
STEPS = 20
WAYS = {
    "eager": {"compile": "never", "cuda_graph": "never"},
    "recorded": {"compile": "never", "cuda_graph": "auto"},
    "compiled": {"compile": "always", "cuda_graph": "never"},
    "compiled and recorded": {"compile": "always", "cuda_graph": "auto"},
}


def trainer(way: str, method: object = CS_KD_E, **changes: object) -> Trainer:
    """Trainer in float32 whose epochs have five batches of 12 and one of 4."""
    training = {"device": "cuda", "precision": "float32", "batch_size": 12, "lr": 0.01} | WAYS[way] | changes
    return trainer_of(small_config(method, **training))


def losses(made: Trainer) -> list[float]:
    """Loss values of the first steps, one by one."""
    step, found = made._workbench.step, []
    while len(found) < STEPS:
        for batch in made._batches():
            step.begin_epoch(made.config.training.lr, made.epoch / made.config.training.epochs)
            made._workbench.train(batch)
            found.append(step.averages(len(batch.labels))["train/loss"])
        made.epoch += 1
    return found[:STEPS]


@pytest.mark.parametrize("method", [*WITHOUT_TEACHER, CS_KD_E, OWN])
def test_a_recorded_step_is_the_eager_step(method):
    recorded = trainer("recorded", method)
    assert losses(recorded) == pytest.approx(losses(trainer("eager", method)), rel=1e-4)
    assert isinstance(recorded._workbench.train, RecordedStep)
    assert recorded._workbench.train._replay is not None


@pytest.mark.slow  # torch compiles
@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", ["compiled", "compiled and recorded"])
def test_a_compiled_step_is_the_eager_step(way):
    compiled = trainer(way)
    assert losses(compiled) == pytest.approx(losses(trainer("eager")), rel=1e-4)
    assert compiled._workbench.is_compiled


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            {"name": "cs_kd", "temperature": 4.0, "lambda_cls": 1.0},
            {"name": "cs_kd", "temperature": 1.5, "lambda_cls": 3.0},
        ),
        ({"name": OWN, "weight": 0.5, "kept": 0.9}, {"name": OWN, "weight": 1.5, "kept": 0.5}),
    ],
)
def test_a_second_trial_on_the_same_recording_trains_as_the_first(one, other):
    first = trainer("recorded", one)
    losses(first)
    first.close()
    again = trainer("recorded", other, lr=0.02)
    assert again._workbench is first._workbench
    assert losses(again) == pytest.approx(losses(trainer("eager", other, lr=0.02)), rel=1e-4)


@pytest.mark.parametrize("way", ["eager", "recorded"])
def test_float16_with_a_scaled_loss_trains(way):
    made = trainer(way, precision="float16", lr=0.05, epochs=STEPS)
    found = [made.run_epoch()["train/loss"] for _ in range(STEPS)]
    assert all(math.isfinite(loss) for loss in found)
    assert max(found[-3:]) < 0.9 * found[0]
    assert made._workbench.step.state_dict()["scaler"]["scale"] >= 1
    assert all(torch.isfinite(value).all() for value in made.model.state_dict().values())


def test_memory_is_released_before_a_trial_of_another_shape():
    wide = {"name": "preact_resnet10", "width": 128, "input_size": 8}
    large = trainer("recorded", model=wide)
    losses(large)
    weights = sum(parameter.nbytes for parameter in large.model.parameters())
    reserved = torch.cuda.memory_reserved()
    assert reserved > 3 * weights  # with momentum and gradients
    large.close()
    del large
    losses(trainer("recorded"))
    assert torch.cuda.memory_reserved() < reserved - 2 * weights
