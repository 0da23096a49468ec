"""Which arms are confirmed, with which seeds, and which runs may read the test set."""

from pathlib import Path

import pytest
from optuna.trial import TrialState

from study.phases import finalists
from study.phases.confirm import ConfirmPhase
from study.phases.sequence import phases_of
from study.state import directory, ledger
from tests.kit.fakes.executor import Executor
from tests.kit.faults.oracle import verify_study
from trainables.runs.run_directory import EpochRow, RunDirectory


def complete(study, *values: float, nll: float | None = None, temperature: float = 1.0):
    """Adds a completed search trial, with a last epoch if ``nll`` is given."""
    trial = study.store.begin("search", {"temperature": temperature, "lambda_cls": 1.0}, study.config.space(), {})
    if nll is not None:
        run = RunDirectory(study.directory / "trials" / str(trial.number))
        run.append_epoch(EpochRow(1, 1, {"validation/nll": nll}, 0.1, 0.0))
    study.store.tell(trial, TrialState.COMPLETE, values, 1, None)
    return trial


def test_each_arm_runs_with_each_seed_on_the_full_training_set(new_study) -> None:
    study = new_study(confirm__finalists=2, confirm__seeds=[5, 6, 7], controls=[{"method": "cross_entropy"}, {}])
    Executor(study).run()
    phase = ConfirmPhase(study)
    trials = study.store.trials("confirm")
    arms = {arm.label: arm for arm in finalists.finalists(study)}
    assert {(trial.user_attrs["arm"], trial.user_attrs["seed"]) for trial in trials} == {
        (arm, seed) for arm in [*arms, "controls/0", "controls/1"] for seed in (5, 6, 7)
    }
    for trial in trials:
        assignment = phase.assignment(trial)
        assert assignment.config.seed == trial.user_attrs["seed"]
        assert assignment.config.train_on == "full"
        expected = finalists.arm_from(study, trial.user_attrs["arm"]).config
        assert assignment.config.method == expected.method
        assert assignment.config.training == expected.training
        assert trial.state == TrialState.COMPLETE
    assert phase.objectives == ("test/top1_error",)


def test_only_confirmations_read_the_test_set_and_the_ledger_has_a_line_for_each(new_study) -> None:
    study = new_study()
    Executor(study).run()
    lines = ledger.readings(study.directory)
    controls, search, confirmations = phases_of(study)
    for phase in (controls, search):
        assert all(phase.assignment(trial).access is None for trial in study.store.trials(phase.name))
    trials = study.store.trials("confirm")
    assert sorted(line["trial"] for line in lines) == [trial.number for trial in trials]
    for line in lines:
        trial = trials[line["trial"]]
        assert (line["arm"], line["seed"]) == (trial.user_attrs["arm"], trial.user_attrs["seed"])
        assert line["config_digest"] == confirmations.assignment(trial).config.digest()
        assert (line["study"], line["attempt"], line["dataset"], line["images"]) == ("toy", 1, "toy", 100)
        assert line["host"]
        assert line["time"] > 1.7e9


def test_train_on_and_test_each_epoch_reach_the_assignment(new_study) -> None:
    study = new_study(confirm__train_on="train", confirm__test_each_epoch=True, confirm__seeds=[9])
    complete(study, 0.1)
    phase = ConfirmPhase(study)
    assignment = phase.assignment(phase.start_next())
    assert assignment.config.train_on == "train"
    assert assignment.test_each_epoch
    assert assignment.directory == study.directory / "confirm/0"
    assert phase.start_next() is None  # its control has not completed


def test_failed_controls_are_not_confirmed(new_study) -> None:
    study = new_study(controls=[{"method": "cross_entropy"}, {"temperature": 2}])

    def fault(assignment, epoch):
        return "nan" if (assignment.phase, assignment.number, epoch) == ("controls", 0, 2) else None

    Executor(study, fault).run()
    assert {trial.user_attrs["arm"] for trial in study.store.trials("confirm")} >= {"controls/1"}
    assert "controls/0" not in {trial.user_attrs["arm"] for trial in study.store.trials("confirm")}
    assert verify_study(study.directory)["trials"] == 8 + 2 + 4


def test_the_confirmation_waits_until_search_and_controls_have_ended(new_study) -> None:
    study = new_study(search__trials=2)
    control, search, phase = phases_of(study)
    estimate = (1 + 1) * 2  # finalist and control, two seeds
    assert (phase.planned(), phase.start_next()) == (estimate, None)
    begun = [control.start_next(), search.start_next()]
    complete(study, 0.1)
    for trial in begun:
        assert (phase.planned(), phase.start_next()) == (estimate, None)
        study.store.tell(trial, TrialState.FAIL, None, 0, "x")
    assert phase.planned() == 2  # the control failed
    assert [phase.start_next().user_attrs["arm"] for _ in range(2)] == ["search/1", "search/1"]
    assert phase.start_next() is None


@pytest.mark.parametrize("extended", [8, 5])
def test_an_extension_adds_arms_and_repeats_no_pair(new_study, extended: int) -> None:
    study = new_study(search__trials=3)
    Executor(study).run()
    first = {(trial.user_attrs["arm"], trial.user_attrs["seed"]) for trial in study.store.trials("confirm")}
    assert len(first) == 4
    study.store.set_study_attribute("trials", extended)
    Executor(study).run()
    assert len(study.store.trials("search")) == extended
    pairs = [(trial.user_attrs["arm"], trial.user_attrs["seed"]) for trial in study.store.trials("confirm")]
    assert len(pairs) == len(set(pairs))
    winner = finalists.finalists(study)[0].label
    assert set(pairs) == first | {(winner, 1), (winner, 2)}
    verify_study(study.directory)


def test_a_reopened_study_has_the_same_arms(done_directory: Path) -> None:
    with directory.open_study(done_directory) as study:
        phase = ConfirmPhase(study)
        assert phase.planned() == len(study.store.trials("confirm")) == 4
        assert phase.start_next() is None
