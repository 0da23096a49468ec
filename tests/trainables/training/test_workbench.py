"""A reused workbench trains as a new one."""

import pytest
import torch

from tests.kit.inputs.training import OwnHead, small_config, trainer_of
from trainables.config import TrainConfig
from trainables.training import workbench
from trainables.training.workbench import key_of, pays_to_compile

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _nothing_kept():
    workbench._kept.clear()
    yield
    workbench._kept.clear()


def key(config: TrainConfig) -> str:
    return key_of(config, ("a", "b"), (8, 8), CPU, torch.float32)


def cs_kd(**options):
    return {"name": "cs_kd"} | options


def own(**options):
    return {"name": f"{OwnHead.__module__}:OwnHead"} | options


def test_another_trial_of_a_study_has_the_same_key():
    one = small_config(cs_kd(temperature=4.0, lambda_cls=1.0), seed=1, lr=0.1, epochs=4)
    other = small_config(cs_kd(temperature=1.5, lambda_cls=3.0), seed=2, lr=0.2, epochs=8)
    assert key(one) == key(other)


@pytest.mark.parametrize(
    "other",
    [
        small_config(cs_kd(lambda_e=0.5)),
        small_config(cs_kd(lambda_cls=0.0)),
        small_config(cs_kd(partner_may_equal_anchor=False)),
        small_config("cross_entropy"),
        small_config(cs_kd(), batch_size=8),
        small_config(cs_kd(), weight_decay=0.0),
        small_config(cs_kd(), momentum=0.5),
        small_config(cs_kd(), compile="never"),
        small_config(cs_kd(), model={"name": "preact_resnet10", "width": 8, "input_size": 8}),
    ],
)
def test_another_step_has_another_key(other):
    assert key(small_config(cs_kd())) != key(other)


@pytest.mark.parametrize("ending", ["finished", "diverged"])
@pytest.mark.parametrize(
    ("one", "other"), [(cs_kd(temperature=4.0), cs_kd(temperature=1.5, lambda_cls=3.0)), (own(kept=0.9), own(kept=0.5))]
)
def test_a_used_workbench_trains_as_a_new_one(monkeypatch, one, other, ending):
    monkeypatch.setattr(workbench.Workbench, "worth_keeping", True)
    first = trainer_of(small_config(one, seed=1))
    first.run_epoch()
    if ending == "diverged":
        with torch.no_grad():
            for value in [*first.model.parameters(), *first.model.buffers()]:
                value.fill_(torch.nan if value.is_floating_point() else 0)
        first.run_epoch()
    first.close()
    config = small_config(other, seed=2)
    again = trainer_of(config)
    assert again._workbench is first._workbench
    fresh = trainer_of(config)
    assert fresh._workbench is not again._workbench
    assert [again.run_epoch() for _ in range(2)] == [fresh.run_epoch() for _ in range(2)]
    for found, expected in zip(again.model.state_dict().values(), fresh.model.state_dict().values(), strict=True):
        assert torch.equal(found, expected)


def test_a_cpu_without_compilation_keeps_nothing_between_runs():
    made = trainer_of(small_config(cs_kd()))
    made.close()
    assert workbench._kept == []


def test_a_workbench_that_does_not_fit_is_deleted(monkeypatch):
    monkeypatch.setattr(workbench.Workbench, "worth_keeping", True)
    first = trainer_of(small_config(cs_kd()))
    first.close()
    trainer_of(small_config("cross_entropy"))
    assert workbench._kept == []


def test_compilation_pays_if_the_remaining_training_is_long():
    assert pays_to_compile(3600)
    assert not pays_to_compile(240)  # 200 epochs of CIFAR-100 on a large GPU
