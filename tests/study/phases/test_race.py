"""The race in a study: its runs, its results, and its recovery after faults."""

import random

import pytest
from optuna.trial import TrialState

from analysis.records import result_files
from study.campaigns import preview
from study.errors import StudyFileError
from study.outcome.verification import verify
from study.phases import finalists, limits, race, sequence
from study.phases.race_rule import Exit
from study.search import ranking
from study.state import directory, ledger
from tests.kit.fakes.executor import DriverKilledError, Executor
from tests.kit.fakes.toy import value
from tests.kit.faults.oracle import finished_runs, verify_study

RACE = {"candidates": 5, "seeds": 4, "first_test": 2, "level": 0.2}


SMALL = {"training__epochs": 2, "search__trials": 6, "confirm__race": RACE, "confirm__seeds": [1]}


@pytest.fixture(scope="module")
def raced(tmp_path_factory, toy):
    """A finished study with a race, and its executor; tests only read it."""
    with directory.open_study(directory.create(toy(**SMALL), tmp_path_factory.mktemp("storage"))) as study:
        yield study, Executor(study).run()


def test_candidates_race_between_search_and_confirmation_on_the_search_split(raced) -> None:
    study, executor = raced
    phases = {phase.name: phase for phase in sequence.phases_of(study)}
    started = [event[0] for event in executor.watcher.of("started")]
    assert list(dict.fromkeys(started)) == ["controls", "search", "race", "confirm"]
    for trial in study.store.trials("race"):
        assignment = phases["race"].assignment(trial)
        searched = study.store.trials("search")[int(trial.user_attrs["arm"].removeprefix("search/"))]
        search_config = phases["search"].assignment(searched).config
        assert assignment.config == search_config.model_copy(update={"seed": trial.user_attrs["seed"]})
        assert assignment.config.train_on == "train"
        assert assignment.access is None
        assert assignment.directory == study.directory / "race" / str(trial.number)
    verify_study(study.directory)


def test_no_seed_of_the_race_is_used_elsewhere(raced) -> None:
    study, _ = raced
    seeds = {name: {of.assignment(t).config.seed for t in study.store.trials(name)} for name, of in named(study)}
    assert len(seeds["race"]) >= 2
    assert seeds["race"].isdisjoint(seeds["search"] | seeds["controls"] | seeds["confirm"])
    assert min(seeds["race"]) >= 2**33  # all seeds of a search are smaller


def named(study):
    return [(phase.name, phase) for phase in sequence.phases_of(study)]


def test_the_leader_is_confirmed_and_the_race_skips_some_runs(raced) -> None:
    study, _ = raced
    found = race.race_state(study).standing
    assert found.exits  # the toy's settings differ by more than its noise
    assert len(study.store.trials("race")) < RACE["candidates"] * RACE["seeds"]
    (winner,) = finalists.finalists(study)
    assert winner.label == found.order[0]
    runs = [trial for trial in study.store.trials("race") if trial.user_attrs["arm"] == winner.label]
    assert winner.race_mean == pytest.approx(sum(trial.value for trial in runs) / len(runs))
    confirmed = {trial.user_attrs["arm"] for trial in study.store.trials("confirm")}
    assert confirmed == {winner.label, "controls/0"}
    others = [study.config.search_config(trial.params, trial.number) for trial in study.store.trials("search")]
    assert value(winner.config, 2) < 0.02 + min(value(config, 2) for config in others)  # 0.02 is the toy's noise


def test_results_list_who_dropped_out_when_and_why(raced) -> None:
    study, _ = raced
    results = result_files.read(study.directory / "results")
    described = results.study["race"]
    rows = results.trials[results.trials["phase"] == "race"]
    assert described["over"]
    assert described["runs"] == len(rows) == len(study.store.trials("race"))
    assert described["runs_at_most"] == 20
    assert sorted(number for each in described["candidates"] for number in each["trials"]) == sorted(rows["trial"])
    dropped = [each for each in described["candidates"] if each["dropped_after"]]
    assert dropped
    for each in dropped:
        assert 0 <= each["p"] < RACE["level"]
        assert 2 <= each["dropped_after"] == each["seeds"] == len(each["trials"])
    arm = results.study["arms"][results.study["finalists"][0]]
    assert arm["race_mean"] == described["candidates"][0]["mean"]
    assert arm["search_value"] != arm["race_mean"]
    assert verify(study).violations == []


def test_until_search_stops_before_the_race(new_study) -> None:
    study = new_study(**SMALL)
    Executor(study, until="search").run()
    assert study.store.trials("race") == []
    counts = sequence.counts_of(study)
    assert sequence.state_of(counts, held=False, until="search") == "searched"
    assert sequence.state_of(counts, held=False, until=None) == "interrupted"
    assert counts["race"]["planned"] == 20


@pytest.mark.long
def test_a_driver_that_dies_during_the_race_loses_no_run(new_study, raced) -> None:
    study, order, deaths = new_study(**SMALL), random.Random(7), 0
    done: dict = {}

    def fault(assignment, epoch):
        return "driver" if assignment.phase == "race" and order.random() < 0.12 else None

    while True:
        try:
            Executor(study, fault, seed=deaths).run()
        except DriverKilledError:
            deaths += 1
            assert done.items() <= finished_runs(study.directory).items()
            done = finished_runs(study.directory)
            study = new_study(**SMALL)
        else:
            break
    assert deaths >= 2
    verify_study(study.directory)
    assert race.race_state(study).standing == race.race_state(raced[0]).standing


def test_a_candidate_that_diverges_with_a_fresh_seed_is_not_a_finalist(new_study) -> None:
    study = new_study(**SMALL)
    Executor(study, until="search").run()
    first = f"search/{ranking.confirmation_order(study)[0][0].number}"

    def fault(assignment, epoch):
        if assignment.phase != "race":
            return None
        return "nan" if study.store.trials("race")[assignment.number].user_attrs["arm"] == first else None

    Executor(study, fault).run()
    assert {trial.state for trial in study.store.trials("race") if trial.user_attrs["arm"] == first} == {
        TrialState.FAIL
    }
    assert race.race_state(study).standing.exits[0] == Exit(first, 1, None)
    assert finalists.finalists(study)[0].label != first
    described = result_files.read(study.directory / "results").study["race"]["candidates"][-1]
    assert (described["arm"], described["failed"], described["p"], described["mean"]) == (first, True, None, None)
    verify_study(study.directory)


def test_the_race_leaves_half_of_the_reserve_to_the_confirmation(new_study) -> None:
    # A run takes 0.02 s: search and control may use 0.18 s of the 0.36 s; the race must leave 0.09 s.
    budget = {"device_hours": 0.36 / 3600, "reserve_for_confirmation": 0.5}
    study = new_study(**SMALL | {"confirm__race": RACE | {"first_test": 4}, "search__budget": budget})
    Executor(study, slots=1).run()
    ended = limits.early_end(study.store, "race")
    assert ended.runs == 5  # one complete round after seven runs, and no second one
    assert "25 % of it kept for the confirmation" in ended.reason
    assert len(study.store.trials("confirm")) == 2
    verify_study(study.directory)


@pytest.mark.long
def test_a_longer_search_races_its_new_candidates_and_records_the_earlier_reading(new_study) -> None:
    study = new_study(**SMALL | {"search__trials": 3})
    Executor(study).run()
    before = finished_runs(study.directory)
    assert {trial.user_attrs["arm"] for trial in study.store.trials("race")} == {f"search/{n}" for n in range(3)}
    study.store.set_study_attribute("trials", 5)  # as `cskd resume --trials 5` does
    Executor(study).run()
    assert before.items() <= finished_runs(study.directory).items()
    assert len({trial.user_attrs["arm"] for trial in study.store.trials("race")}) > 3
    assert result_files.read(study.directory / "results").study["extended"]
    verify_study(study.directory)


def test_the_race_never_reads_the_test_set(raced) -> None:
    study, _ = raced
    lines = ledger.readings(study.directory)
    assert len(lines) == len(study.store.trials("confirm"))


def test_the_preview_counts_the_runs_of_a_race(toy) -> None:
    found, without = preview.describe(toy(confirm__race=RACE)), preview.describe(toy())
    assert found["race"] == {"candidates": 5, "seeds": 4, "runs": 20}
    assert found["runs"] == without["runs"] + 20
    assert found["epochs"] == without["epochs"] + 20 * 4
    assert "5 candidates with 4 separate seeds, at most 20 runs" in preview.entries(found)["race"]
    assert "race" not in preview.entries(without)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"confirm__race": {"candidates": 3}, "confirm__finalists": 3}, "it must exceed finalists, which is 3"),
        ({"confirm__race": {"seeds": 2, "first_test": 3}}, "the race has only 2 seeds; raise seeds"),
        (
            {"confirm__race": {}, "search__objectives": ["validation/top1_error", "validation/nll"]},
            "confirm.race: needs a single objective",
        ),
        ({"confirm__race": {"candidate": 3}}, "candidates"),
    ],
)
def test_invalid_races_are_refused(toy, overrides, words) -> None:
    with pytest.raises(StudyFileError, match=words):
        toy(**overrides)
