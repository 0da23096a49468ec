"""The training step: eager, recorded and compiled."""

from pathlib import Path

import pytest
import torch

from tests.kit.inputs.training import CS_KD_E, WITHOUT_TEACHER, OwnHead, small_config, trainer_of, weights
from trainables.methods.cs_kd import CsKd
from trainables.training.cuda_graph import WARM_UP, RecordedStep
from trainables.training.step import numbers_of
from trainables.training.trainer import Trainer, all_finite

CPU = torch.device("cpu")
EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
EVALUATED = "partner_controls:EvaluatedPartner"
AVERAGED = "averaged_teacher:AveragedTeacher"
OWN = f"{OwnHead.__module__}:OwnHead"  # uses averaged weights and the progress of the run


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the methods of the manual importable by their path."""
    monkeypatch.syspath_prepend(EXAMPLES)


class Replays:
    """Imitates recording on a CPU: a replay calls the function again on the same tensors."""

    def __init__(self):
        self.recordings = 0

    def run(self, function):
        function()

    def record(self, function):
        self.recordings += 1
        return function


def trainer(method="cs_kd", **changes) -> Trainer:
    return trainer_of(small_config(method, **changes))


def assert_same(one, other):
    assert all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


@pytest.mark.usefixtures("examples")
@pytest.mark.parametrize("method", [*WITHOUT_TEACHER, CS_KD_E, EVALUATED, AVERAGED, OWN])
def test_a_recorded_step_trains_as_the_eager_step(method):
    eager, recorded = (trainer(method, batch_size=12) for _ in range(2))  # five batches of 12, and one of 4
    replays = Replays()
    recorded._workbench.train = RecordedStep(recorded._workbench.step, replays)
    for _ in range(2):
        assert recorded.run_epoch() == eager.run_epoch()
    assert replays.recordings == 1
    assert_same(recorded, eager)


def test_a_recording_follows_the_warm_up_and_has_one_shape():
    made, replays = trainer(batch_size=12), Replays()
    seen = []
    step = RecordedStep(seen.append, replays)
    batches = [*made._pipeline.batches(0), *made._pipeline.batches(1)]
    recorded_at = []
    for batch in batches:
        step(batch)
        recorded_at.append(replays.recordings)
    assert recorded_at == [0] * WARM_UP + [1] * (len(batches) - WARM_UP)
    whole = [batch for batch in seen if len(batch.labels) == 12]
    assert len({id(batch) for batch in whole}) == 1  # always the same tensors
    assert len(seen) - len(whole) == 2
    assert torch.equal(whole[0].labels, batches[-2].labels)


@pytest.mark.slow  # torch compiles
@pytest.mark.usefixtures("examples")
@pytest.mark.parametrize(
    "method",
    [*WITHOUT_TEACHER, CS_KD_E, *(pytest.param(own, marks=pytest.mark.long) for own in (EVALUATED, AVERAGED, OWN))],
)
def test_a_compiled_step_trains_as_the_eager_step_in_one_graph(method):
    eager, compiled = (trainer(method, batch_size=12) for _ in range(2))
    compiled._workbench.compile("aot_eager")
    for _ in range(2):
        found, expected = compiled.run_epoch(), eager.run_epoch()
        assert found == pytest.approx(expected, rel=1e-5)
    for one, other in zip(weights(compiled), weights(eager), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_new_numbers_learning_rate_and_a_smaller_batch_need_no_compilation():
    made = trainer({"name": "cs_kd", "temperature": 4.0, "lambda_cls": 1.0}, batch_size=12)
    made._workbench.compile("aot_eager")
    made.run_epoch()
    torch._dynamo.utils.counters.clear()
    step = made._workbench.step
    step.restart(CsKd(temperature=2.5, lambda_cls=3.3))
    for epoch, rate in ((1, 0.05), (2, 0.005)):
        step.begin_epoch(rate, epoch / 3)
        for batch in made._pipeline.batches(epoch):
            step(batch)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 0
    assert all_finite(step.averages(64))


@pytest.mark.usefixtures("examples")
def test_a_copy_with_decay_0_teaches_as_the_network_does():
    averaged = trainer({"name": AVERAGED, "decay": 0.0, "warm_up": 0.0})
    plain = trainer({"name": "cs_kd"})
    for one, other in zip(_parameters_after_an_epoch(averaged), _parameters_after_an_epoch(plain), strict=True):
        torch.testing.assert_close(one, other)


def _parameters_after_an_epoch(made):
    made.run_epoch()
    return made.model.parameters()


@pytest.mark.usefixtures("examples")
def test_a_warm_up_starts_at_weight_0_and_ends_at_the_full_weight():
    """With two of four epochs as warm-up, CS-KD's weight is 0 in the first epoch and full from the third on."""
    made = trainer({"name": AVERAGED, "decay": 0.9, "warm_up": 0.5, "lambda_cls": 2.0})
    ratios = []
    for _ in range(4):
        found = made.run_epoch()
        ratios.append((found["train/loss"] - found["train/ce"]) / found["train/cls"])
    assert ratios == pytest.approx([0, 1, 2, 2], abs=1e-4)


def test_a_method_receives_the_progress_of_the_run():
    made = trainer(OWN)
    step, seen = made._workbench.step, []
    for _ in range(4):
        made.run_epoch()
        seen.append(step.values["progress"].item())
    assert seen == [0, 0.25, 0.5, 0.75]


def test_the_numbers_of_a_method_become_scalar_tensors():
    values = numbers_of(CsKd(temperature=2, lambda_cls=1.5), CPU)
    assert {name: value.item() for name, value in values.items()} == {
        "temperature": 2,
        "lambda_cls": 1.5,
        "lambda_e": 0,
    }
    assert all(value.shape == () and value.dtype is torch.float32 for value in values.values())


def test_half_precision_scales_the_loss_and_learns(monkeypatch):
    from trainables.training import trainer as trainer_module

    monkeypatch.setattr(trainer_module, "choose_precision", lambda *_: torch.float16)
    made = trainer("cs_kd", epochs=8)
    assert made._workbench.step.state_dict()["scaler"]["scale"] == 2**16
    losses = [made.run_epoch()["train/loss"] for _ in range(8)]
    assert losses[-1] < losses[0]
    state = made.state_dict()
    again = trainer("cs_kd", epochs=8)
    again.load_state_dict(state)
    assert again._workbench.step.state_dict()["scaler"] == state["scaler"]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_state_is_restored_in_place(momentum):
    made, other = (trainer(momentum=momentum) for _ in range(2))
    made.run_epoch()
    places = [value.data_ptr() for group in other._workbench.step.optimizer.state.values() for value in group.values()]
    other.load_state_dict(made.state_dict())
    after = [value.data_ptr() for group in other._workbench.step.optimizer.state.values() for value in group.values()]
    assert after == places
    assert (not places) == (momentum == 0)
    assert other.run_epoch() == made.run_epoch()
    assert_same(other, made)
