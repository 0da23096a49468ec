"""Tests the study's database in a real SQLite file."""

import sqlite3
import threading
import time
from pathlib import Path

import psutil
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from search_spaces.space import distribution
from study.errors import ServiceError
from study.state import database
from study.state.optuna_store import PHASES, TrialStore
from tests.kit.patience import patience

SPACE = {"temperature": distribution({"choices": [1, 4]}), "kind": distribution({"choices": ["a", "b"]})}
POINT = {"temperature": 4.0, "kind": "b"}


@pytest.fixture
def store(tmp_path: Path):
    opened = TrialStore(tmp_path / "optuna.db", "toy", directions=[StudyDirection.MINIMIZE])
    yield opened
    opened.close()


def test_begin_and_tell_survive_reopening(store: TrialStore, tmp_path: Path) -> None:
    first = store.begin("search", POINT, SPACE, {})
    second = store.begin("search", {"temperature": 1.0, "kind": "a"}, SPACE, {})
    third = store.begin("search", POINT, SPACE, {})
    store.set_attribute(second, "attempt", 2)
    store.tell(first, TrialState.COMPLETE, [0.25], 4, None)
    store.tell(third, TrialState.FAIL, None, 1, "train/loss is NaN")
    store.close()

    again = TrialStore(tmp_path / "optuna.db", "toy", directions=[StudyDirection.MINIMIZE])
    trials = again.trials("search")
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert [trial.state.name for trial in trials] == ["COMPLETE", "RUNNING", "FAIL"]
    assert trials[0].params == POINT
    assert trials[0].distributions == SPACE
    assert trials[0].value == 0.25
    assert trials[0].intermediate_values == {4: 0.25}
    assert trials[0].datetime_complete >= trials[0].datetime_start
    assert trials[1].user_attrs == {"attempt": 2}
    assert trials[2].user_attrs == {"attempt": 1, "error": "train/loss is NaN"}
    assert [trial.number for trial in again.running("search")] == [1]
    assert again.begin("search", POINT, SPACE, {}).number == 3
    again.close()


def test_a_pruned_trial_keeps_its_last_value(store: TrialStore) -> None:
    store.tell(store.begin("search", POINT, SPACE, {}), TrialState.PRUNED, [0.5], 2, None)
    assert (store.trials("search")[0].state, store.trials("search")[0].value) == (TrialState.PRUNED, 0.5)
    assert store.running("search") == []


def test_a_final_state_is_final(store: TrialStore) -> None:
    trial = store.begin("search", POINT, SPACE, {})
    store.tell(trial, TrialState.COMPLETE, [0.5], 1, None)
    with pytest.raises(Exception, match=r"is not updatable|finished|COMPLETE"):
        store.tell(trial, TrialState.FAIL, None, 1, None)
    assert store.trials("search")[0].state == TrialState.COMPLETE


def test_phases_are_sibling_studies_with_separate_numbers(store: TrialStore, tmp_path: Path) -> None:
    for phase in PHASES:
        assert store.begin(phase, {}, {}, {"of": phase}).number == 0
    assert [store.trials(phase)[0].user_attrs["of"] for phase in PHASES] == list(PHASES)
    with sqlite3.connect(tmp_path / "optuna.db") as database:
        names = {name for (name,) in database.execute("select study_name from studies")}
    database.close()
    assert names == {"toy", "toy/controls", "toy/race", "toy/confirm"}


def test_a_phase_that_the_study_lacks_has_no_trials(tmp_path: Path) -> None:
    phases = ("controls", "search", "confirm")
    store = TrialStore(tmp_path / "optuna.db", "toy", directions=[StudyDirection.MINIMIZE], phases=phases)
    assert store.trials("race") == store.running("race") == []
    store.close()


def test_study_attributes_are_stored(store: TrialStore, tmp_path: Path) -> None:
    assert store.attribute("trials") is None
    store.set_study_attribute("trials", 12)
    store.set_study_attribute("trials", 16)
    again = TrialStore(tmp_path / "optuna.db", "toy", directions=[StudyDirection.MINIMIZE])
    assert again.attribute("trials") == 16
    again.close()


def test_another_reader_sees_the_stored_states(store: TrialStore, tmp_path: Path) -> None:
    reader = TrialStore(tmp_path / "optuna.db", "toy", directions=[StudyDirection.MINIMIZE])
    trial = store.begin("search", POINT, SPACE, {})
    assert [found.state.name for found in reader.trials("search")] == ["RUNNING"]
    store.tell(trial, TrialState.COMPLETE, [0.5], 1, None)
    assert [found.value for found in reader.trials("search")] == [0.5]
    reader.close()


@pytest.mark.parametrize("folder", ["what?x=1", "50%20off", "a b", "a#b", "ä@b:c"])
def test_any_folder_name_works(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    TrialStore(tmp_path / folder / "optuna.db", "toy", directions=[StudyDirection.MINIMIZE]).close()
    assert (tmp_path / folder / "optuna.db").stat().st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == [folder]


@pytest.mark.fault(16)
def test_a_lock_times_out_with_the_name_of_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOCK_SECONDS", 0.3)
    path = tmp_path / "optuna.db"
    store = TrialStore(path, "toy", directions=[StudyDirection.MINIMIZE])
    trial = store.begin("search", POINT, SPACE, {})
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin exclusive")
    start = time.monotonic()
    with pytest.raises(ServiceError, match=r"optuna.db: database is locked") as caught:
        store.set_attribute(trial, "attempt", 2)
    assert 0.3 <= time.monotonic() - start < patience(3)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 69
    other.execute("rollback")
    other.close()
    assert store.begin("search", POINT, SPACE, {}).number == 1  # works again after the lock is released
    store.close()


@pytest.mark.fault(16)
def test_a_lock_of_two_seconds_only_delays(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    store = TrialStore(path, "toy", directions=[StudyDirection.MINIMIZE])
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("begin exclusive")
    start = time.monotonic()
    threading.Timer(2.0, other.close).start()
    assert store.begin("search", POINT, SPACE, {}).number == 0
    assert time.monotonic() - start >= 2
    store.close()


def test_a_damaged_database_is_named_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(ServiceError, match=r"optuna.db: file is not a database") as caught:
        TrialStore(path, "toy", directions=[StudyDirection.MINIMIZE])
    assert str(path) not in {file.path for file in psutil.Process().open_files()}, (
        caught
    )  # keeps the exception and its references alive
