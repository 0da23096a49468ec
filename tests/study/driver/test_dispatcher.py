"""The dispatcher with a fake executor: order, attempts, final states, and random sequences of faults."""

import os
import random
from collections import Counter

import pytest

from study.machine import free_space
from study.phases.sequence import phases_of
from tests.kit.fakes.executor import DriverKilledError, Executor, Watcher
from tests.kit.fakes.toy import ToyRun
from tests.kit.faults.oracle import finished_runs, verify_study
from trainables.runs.run_directory import RunDirectory


def at(phase, number, epoch, what, attempts=(1,)):
    """Returns a fault at one epoch of one trial, in the given attempts."""

    def fault(assignment, next_epoch):
        here = (assignment.phase, assignment.number, next_epoch) == (phase, number, epoch)
        return what if here and assignment.attempt in attempts else None

    return fault


def state(study, phase, number):
    return study.store.trials(phase)[number].state.name


def test_phases_start_in_order_and_the_confirmation_waits_for_the_search(new_study) -> None:
    study = new_study()
    executor = Executor(study, slots=3, seed=1).run()
    started = [event[0] for event in executor.watcher.of("started")]
    assert started == ["controls"] + 8 * ["search"] + 4 * ["confirm"]
    kinds = [(event[0], event[1]) for event in executor.watcher.events]
    before = kinds[: kinds.index(("started", "confirm"))]
    assert before.count(("settled", "search")) == 8
    assert before.count(("settled", "controls")) == 1
    assert executor.most_running == 3
    assert verify_study(study.directory)["duplicates"] == 0


@pytest.mark.fault(4)
@pytest.mark.parametrize("kind", ["lost", "io"])
def test_runs_with_external_faults_are_retried_up_to_the_limit(new_study, kind) -> None:
    study = new_study(search__trials=3, confirm__seeds=[1])

    def fault(assignment, epoch):
        always = assignment.phase == "search" and assignment.number == 1 and epoch == 3
        once = assignment.phase == "search" and assignment.number == 2 and epoch == 2 and assignment.attempt == 1
        return kind if always or once else None

    executor = Executor(study, fault, retries=2).run()
    trials = study.store.trials("search")
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert [trial.user_attrs["attempt"] for trial in trials] == [1, 3, 2]
    expected = {"lost": "the worker process was lost", "io": "OSError: the disk went away"}[kind]
    assert trials[1].user_attrs["error"] == expected
    assert executor.watcher.of("retried") == [
        ("search", number, attempt, expected)
        for _, number, attempt, _ in executor.watcher.of("retried")
        if (number, attempt) in {(1, 1), (1, 2), (2, 1)}
    ]
    assert len(executor.watcher.of("retried")) == 3
    verify_study(study.directory)


@pytest.mark.fault(17)
def test_a_full_disk_of_a_worker_stops_the_study_without_a_failure_of_the_trial(new_study) -> None:
    study = new_study(search__trials=2, controls=[], confirm__seeds=[1])
    with pytest.raises(OSError, match="No space left on device") as caught:
        Executor(study, at("search", 1, 3, "full")).run()
    assert caught.value.filename == str(study.directory / "trials/1")
    assert len(study.store.running("search")) >= 1
    Executor(study, retries=0).run()
    assert state(study, "search", 1) == "COMPLETE"
    assert "failures" not in study.store.trials("search")[1].user_attrs
    verify_study(study.directory)


@pytest.mark.fault(6)
def test_a_preempted_run_is_retried_without_a_failure(new_study) -> None:
    study = new_study(search__trials=2, controls=[], confirm__seeds=[1])
    Executor(study, at("search", 1, 3, "preempted", (1, 2, 3)), retries=0).run()
    trial = study.store.trials("search")[1]
    assert (trial.state.name, trial.user_attrs["attempt"]) == ("COMPLETE", 4)
    assert "failures" not in trial.user_attrs
    verify_study(study.directory)


def test_a_run_on_an_unsuitable_node_is_retried_without_a_failure(new_study) -> None:
    study = new_study(search__trials=1, controls=[], confirm__seeds=[1])
    executor = Executor(study, at("search", 0, 1, "refused"), retries=0).run()
    assert executor.watcher.of("retried") == [
        ("search", 0, 1, "the node does not meet the requirements: it has other code")
    ]
    (trial,) = study.store.trials("search")
    assert (trial.state.name, trial.user_attrs["attempt"]) == ("COMPLETE", 2)
    assert "failures" not in trial.user_attrs


@pytest.mark.fault(17)
def test_no_run_starts_without_free_space(new_study, monkeypatch: pytest.MonkeyPatch) -> None:
    study = new_study(search__trials=2)
    monkeypatch.setattr(free_space, "LEAST_BYTES", 1 << 60)
    with pytest.raises(OSError, match="No space left on device"):
        Executor(study).run()
    assert study.store.trials("controls") == []


@pytest.mark.fault(22)
def test_nan_and_wrong_options_fail_without_a_retry(new_study) -> None:
    study = new_study(search__trials=3, confirm__seeds=[1])

    def fault(assignment, epoch):
        return {("search", 0, 1): "nan", ("search", 1, 4): "wrong"}.get((assignment.phase, assignment.number, epoch))

    Executor(study, fault).run()
    trials = study.store.trials("search")
    assert [trial.state.name for trial in trials] == ["FAIL", "FAIL", "COMPLETE"]
    assert [trial.user_attrs["error"] for trial in trials[:2]] == ["train/loss is NaN", "ValueError: a wrong option"]
    assert all(trial.user_attrs["attempt"] == 1 for trial in trials)
    assert {trial.user_attrs["arm"] for trial in study.store.trials("confirm")} == {"search/2", "controls/0"}
    verify_study(study.directory)


@pytest.mark.fault(23)
@pytest.mark.parametrize(("attempts", "expected"), [((1,), "COMPLETE"), ((1, 2), "FAIL")])
def test_a_run_that_ran_out_of_memory_is_retried_once_alone(new_study, attempts, expected) -> None:
    study = new_study(search__trials=4, confirm__seeds=[1])
    executor = Executor(study, at("search", 1, 2, "out_of_memory", attempts), slots=3).run()
    assert state(study, "search", 1) == expected
    running, together = set(), []
    for kind, phase, number, attempt, _ in executor.watcher.events:
        if kind == "started":
            running.add((phase, number))
            together.append((frozenset(running), (phase, number, attempt)))
        elif kind in ("settled", "retried"):
            running.discard((phase, number))
    assert max(len(found) for found, _ in together) == 3
    position = next(n for n, (_, who) in enumerate(together) if who == ("search", 1, 2))
    assert together[position][0] == {("search", 1)}
    assert len(together[position + 1][0]) == 1  # no other run starts beside it
    verify_study(study.directory)


@pytest.mark.fault(9)
def test_reports_of_an_earlier_attempt_are_ignored(new_study) -> None:
    study = new_study(search__trials=1, controls=[])
    executor = Executor(study)
    dispatcher = executor.dispatcher
    first = dispatcher.next()
    dispatcher.ended("search", 0, 1, error=True)
    second = dispatcher.next()
    assert (first.attempt, second.attempt) == (1, 2)
    before = list(executor.watcher.events)
    dispatcher.report("search", 0, 1, 3, {"validation/top1_error": 0.1})
    dispatcher.ended("search", 0, 1, error=True)
    dispatcher.ended("search", 0, 1, error=False)
    dispatcher.report("search", 7, 1, 3, {})
    assert executor.watcher.events == before
    assert study.store.running("search")[0].user_attrs["attempt"] == 2
    dispatcher.report("search", 0, 2, 1, {})
    assert executor.watcher.of("epoch") == [("search", 0, 2, 1)]


def test_recover_settles_ended_trials_and_restarts_the_others(new_study) -> None:
    study = new_study(search__trials=4)
    first = Executor(study, slots=4)
    assignments = [first.dispatcher.next() for _ in range(4)]  # the control and three trials
    runs = [ToyRun(assignment) for assignment in assignments]
    for run in runs[:2]:
        while run.epoch < 4:
            run.advance()
    runs[2].fault = {"nan": 2}
    runs[2].advance()
    runs[2].advance()
    runs[3].advance()  # the driver dies here, before any end is reported
    before = finished_runs(study.directory)

    second = Executor(study, listener=Watcher())
    second.dispatcher.recover()
    assert second.watcher.of("settled") == [
        ("controls", 0, 1, "COMPLETE"),
        ("search", 0, 1, "COMPLETE"),
        ("search", 1, 1, "FAIL"),
    ]
    again = second.dispatcher.next()
    assert (again.phase, again.number, again.attempt) == ("search", 2, 2)
    assert again.config == assignments[3].config
    assert finished_runs(study.directory) == before


def cut(path, length: int) -> None:
    os.truncate(path, length if length >= 0 else path.stat().st_size + length)


def flip(path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.fault(18, 19)
@pytest.mark.parametrize(("damage", "place"), [(cut, 0), (cut, 1), (cut, -1), (flip, 0)])
@pytest.mark.parametrize("name", ["checkpoints/epoch_000003.pt", "checkpoints/epoch_000003.pt.sha256"])
def test_a_resume_warns_of_a_damaged_checkpoint_and_uses_the_previous_one(new_study, name, damage, place) -> None:
    study = new_study(search__trials=1, controls=[], confirm__seeds=[1])
    with pytest.raises(DriverKilledError):
        Executor(study, at("search", 0, 4, "driver")).run()
    damage(study.directory / "trials/0" / name, place)
    executor = Executor(study).run()
    text = "epoch_000003.pt is damaged; the run resumes from the last intact state before it"
    assert executor.watcher.of("warned") == [("search", 0, 2, text)]
    verify_study(study.directory)


@pytest.mark.fault(18)
@pytest.mark.parametrize("length", [0, 1, 300, -1])
def test_epochs_with_truncated_lines_are_trained_again(new_study, length) -> None:
    study = new_study(search__trials=1, controls=[], confirm__seeds=[1])
    with pytest.raises(DriverKilledError):
        Executor(study, at("search", 0, 4, "driver")).run()
    cut(study.directory / "trials/0/metrics.jsonl", length)
    Executor(study).run()
    assert [row.epoch for row in RunDirectory(study.directory / "trials/0").epochs()] == [1, 2, 3, 4]
    assert state(study, "search", 0) == "COMPLETE"
    verify_study(study.directory)


def test_a_scheduler_prunes_only_search_trials(new_study) -> None:
    study = new_study(search__trials=3, search__scheduler__name="asha", confirm__seeds=[1])
    stopped = set()

    def fault(assignment, epoch):  # a scheduler that would stop one run of each phase
        who = (assignment.phase, assignment.number)
        if epoch != 3 or assignment.number != 0 or who in stopped:
            return None
        stopped.add(who)
        return "stop"

    Executor(study, fault, prunes=True).run()
    pruned = study.store.trials("search")[0]
    rows = RunDirectory(study.directory / "trials/0").epochs()
    assert pruned.state.name == "PRUNED"
    assert pruned.value == rows[-1].metrics["validation/top1_error"]
    assert pruned.last_step == len(rows) == 2
    assert {trial.state.name for phase in ("controls", "confirm") for trial in study.store.trials(phase)} == {
        "COMPLETE"
    }
    assert study.store.trials("controls")[0].user_attrs["attempt"] == 2  # retried


def test_a_trial_stopped_before_its_first_epoch_is_retried(new_study) -> None:
    """It has no value to be pruned with, so it counts as lost."""
    study = new_study(search__trials=2, search__scheduler__name="asha", controls=[], confirm__seeds=[1])
    Executor(study, at("search", 0, 1, "stop"), prunes=True).run()
    assert state(study, "search", 0) == "COMPLETE"
    assert study.store.trials("search")[0].user_attrs["attempt"] == 2
    verify_study(study.directory)


def test_stopping_leaves_trials_open_for_the_resume(new_study) -> None:
    study = new_study(search__trials=4)
    executor = Executor(study, slots=3)
    handed = [executor.dispatcher.next() for _ in range(3)]
    executor.stopping = True
    assert executor.dispatcher.next() is None
    for assignment in handed:  # Ray ends the runs; none has written an outcome
        executor.dispatcher.ended(assignment.phase, assignment.number, assignment.attempt, error=False)
    assert executor.watcher.of("settled") == []
    assert len(study.store.running("controls")) == 1
    assert len(study.store.running("search")) == 2
    Executor(study).run()
    assert verify_study(study.directory)["attempts"] == 3 + 5 + 4  # the first three twice, the others once


@pytest.mark.fault(22)
def test_a_run_without_the_objective_fails(new_study) -> None:
    study = new_study(search__trials=1, controls=[], search__objectives=["validation/ece"])
    Executor(study).run()
    trial = study.store.trials("search")[0]
    assert trial.state.name == "FAIL"
    assert trial.user_attrs["error"] == "the run reported no validation/ece"


def test_when_all_trials_fail_nothing_is_confirmed(new_study) -> None:
    study = new_study(search__trials=3)
    Executor(study, lambda assignment, _: "nan" if assignment.phase == "search" else None).run()
    assert {trial.state.name for trial in study.store.trials("search")} == {"FAIL"}
    assert study.store.trials("confirm") == []
    assert not (study.directory / "test_ledger.jsonl").exists()
    verify_study(study.directory)


FAULTS = ("lost", "io", "out_of_memory", "driver")


def run_with_faults(new_study, seed: int, *, lasting: bool = False) -> tuple[object, Counter]:
    """Restarts the driver until the study is done; about one epoch in six has a fault."""
    generator = random.Random(seed)
    count = Counter()
    finished = {}

    def fault(assignment, epoch):
        if generator.random() > 1 / 6:
            return None
        kind = generator.choice(FAULTS)
        count[kind] += 1
        return kind

    while True:
        study = new_study()
        for path, content in finished.items():
            assert (path.parent / "metrics.jsonl").read_bytes() == content  # V2
        try:
            Executor(study, fault, slots=generator.randint(1, 4), seed=seed, retries=1000).run()
        except DriverKilledError:
            verify_study(study.directory, done=False)
            # Failed attempts leave an outcome, too, and are retried; settled trials do not change.
            settled = {
                phase.run_directory(trial.number)
                for phase in phases_of(study)
                for trial in study.store.trials(phase.name)
                if trial.state.is_finished()
            }
            finished = {p: c for p, c in finished_runs(study.directory).items() if p.parent in settled}
            continue
        return study, count


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_faults_ends_in_a_complete_study(new_study, seed) -> None:
    study, count = run_with_faults(new_study, seed)
    assert count["driver"] >= 1
    assert count.total() > count["driver"]
    assert verify_study(study.directory)["duplicates"] == 0


def test_the_results_equal_those_of_a_study_without_faults(new_study, done_directory) -> None:
    study, _ = run_with_faults(new_study, seed=11)
    undisturbed = {path.parent.name: path for path in sorted(done_directory.glob("trials/*/outcome.json"))}
    for number, path in undisturbed.items():
        mine = RunDirectory(study.directory / "trials" / number).epochs()
        other = RunDirectory(path.parent).epochs()
        assert [row.metrics for row in mine] == [row.metrics for row in other]


@pytest.mark.parametrize("sampler", ["gp", "tpe", "nsgaii", "random", "qmc"])
def test_a_search_with_two_objectives(new_study, sampler: str) -> None:
    objectives = ["validation/top1_error", "validation/nll"]
    study = new_study(
        search__objectives=objectives,
        search__sampler={"name": sampler},
        search__space={"temperature": {"low": 1, "high": 8, "log": True}, "lambda_cls": {"low": 0.5, "high": 4}},
        search__trials=12,
    )
    Executor(study).run()
    verify_study(study.directory)
    assert [trial.state.name for trial in study.store.trials("search")] == 12 * ["COMPLETE"]
    assert all(trial.values[1] == pytest.approx(3 * trial.values[0]) for trial in study.store.trials("search"))
    confirmed = study.store.trials("confirm")
    assert [len(trial.values) for trial in confirmed] == 4 * [2]
