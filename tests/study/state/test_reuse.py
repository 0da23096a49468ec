"""Tests studies in one storage folder: the second trains only the runs that the first lacks."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from analysis.records import result_files
from analysis.report import summary
from study.outcome.verification import verify
from study.phases.sequence import phases_of
from study.phases.spending import Spending
from study.state import directory, provenance
from study.state.directory import OpenStudy, open_study
from study.state.reuse import Reuse
from study.tracking.desired_runs import trial_runs
from study.views import status
from tests.kit.fakes.executor import Executor
from tests.kit.faults.oracle import verify_study
from trainables.files.durable import append_json_line, write_atomic
from trainables.files.faultpoints import POINTS, arm
from trainables.files.sealed_json import seal, unseal
from trainables.runs.run_directory import RunDirectory

OBJECTIVE = "validation/top1_error"
SMALL = {"training__epochs": 2, "search__trials": 3, "confirm__seeds": [1]}
ALL = {"controls/0", "search/0", "search/1", "search/2"}
BEGUN = "store: trial begun"
OF_REUSE = [name for name in POINTS if name.startswith("reuse")]


@pytest.fixture(scope="module")
def finished(toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished study ``first``, with a control and three search trials of two epochs; tests copy it."""
    folder = directory.create(toy(**SMALL, name="first"), tmp_path_factory.mktemp("storage"))
    with open_study(folder) as study:
        Executor(begun(study)).run()
    return folder


@pytest.fixture
def first(finished: Path, tmp_path: Path) -> Path:
    """Copy of ``finished`` in the test's storage folder."""
    return Path(shutil.copytree(finished, tmp_path / "first"))


@pytest.fixture
def launched(new_study):
    """Creates a study as ``api.launch`` does, with the digests of its data and a line of provenance."""

    def make(name: str = "second", *, data: str = "data", **overrides) -> OpenStudy:
        return begun(new_study(**SMALL | overrides, name=name), data)

    return make


def begun(study: OpenStudy, data: str = "data") -> OpenStudy:
    study.store.set_study_attribute("data_digest", data)
    study.store.set_study_attribute("split_digest", "split")
    provenance.note(study.directory, "launch", study.config.digest(), [])
    return study


def trained(executor: Executor) -> list[tuple]:
    """Returns phase and number of each trained run, without confirmation runs."""
    return sorted({event[:2] for event in executor.watcher.of("started") if event[0] != "confirm"})


def offered(study: OpenStudy) -> list[str | None]:
    """Returns the sources that the first control and the first three search trials would reuse."""
    reuse, found = Reuse(study), []
    for phase in phases_of(study)[:2]:
        for _ in range(min(3, phase.planned())):
            trial = phase.start_next()
            found.append(reuse.copy_finished_run(trial, phase.assignment(trial)))
    return found


def sources(study: OpenStudy) -> dict[str, str | None]:
    return {
        f"{phase}/{trial.number}": trial.user_attrs.get("reused_from")
        for phase in ("controls", "search")
        for trial in study.store.trials(phase)
    }


def values(study: OpenStudy, phase: str) -> list:
    return [trial.values for trial in study.store.trials(phase)]


def test_the_second_study_trains_only_the_runs_that_the_first_lacks(first: Path, launched) -> None:
    second = launched(search__trials=4)
    assert trained(Executor(second).run()) == [("search", 3)]
    verify_study(second.directory)
    assert sources(second) == {**{name: f"first/{name}" for name in ALL}, "search/3": None}
    with open_study(first) as study:
        assert values(second, "search")[:3] == values(study, "search")
        assert values(second, "controls") == values(study, "controls")
    assert [trial.user_attrs.get("reused_from") for trial in second.store.trials("confirm")] == [None, None]
    assert verify(second).violations == []
    _check_outputs(second)


def _check_outputs(second: OpenStudy) -> None:
    """Checks that a copy has no cost and that all outputs name its source."""
    own = Spending(second).device_seconds()
    assert own == pytest.approx(0.01 * 2 * 3)  # a search trial and two confirmations of two epochs
    results = result_files.read(second.directory / "results")
    frame = results.trials.set_index(["phase", "trial"])
    assert frame.loc[("controls", 0), "reused_from"] == "first/controls/0"
    assert frame.loc[("controls", 0), "device_seconds"] == 0
    assert frame.loc[("controls", 0), "epochs"] == 2
    sentence_part = "4 runs were reused from first"
    assert any(sentence_part in sentence for sentence in summary.setup(results))
    found = status.describe(second)
    assert found["reused"]["controls/0"] == "first/controls/0"
    assert sentence_part in status.table(found).notes[-1]
    tags = {run.key: run.tags.get("cskd.reused_from") for run in trial_runs(second, live=False)}
    assert (tags["search/2"], tags["confirm/0"]) == ("first/search/2", None)


def test_a_copy_of_a_copy_names_the_trained_run_and_outlives_it(first: Path, launched) -> None:
    Executor(launched(), until="search").run()
    shutil.rmtree(first)
    third = launched("third")
    assert trained(Executor(third, until="search").run()) == []
    assert sources(third) == {name: f"first/{name}" for name in ALL}
    assert verify(third).violations == []


@pytest.mark.parametrize(
    "overrides",
    [
        {"search__sampler": {"name": "random", "seed": 1}},
        {"dataset__validation": {"per_class": 8, "seed": 1}},
        {"training__epochs": 3},
        {"training__lr": 0.2},
        {"data": "others"},
        {"search__reuse": False},
    ],
)
def test_a_run_with_another_seed_split_setting_or_data_is_trained(first: Path, launched, overrides) -> None:
    assert offered(launched(**overrides)) == [None] * 4


@pytest.mark.parametrize(
    ("of", "code", "allowed"), [("first", "other", ["code"]), ("first", None, ["data"]), ("second", "other", ["code"])]
)
def test_a_study_continued_with_other_code_or_data_is_excluded(first: Path, launched, of, code, allowed) -> None:
    second = launched()
    line = provenance.notes(second.directory)[0] | {"allowed": allowed}
    line["digests"] |= {"code": code or line["digests"]["code"]}
    append_json_line(first.with_name(of) / provenance.FILE_NAME, line)
    assert offered(second) == [None] * 4


def test_a_run_with_a_user_defined_part_is_trained(launched, tmp_path: Path, monkeypatch) -> None:
    code = "from trainables.methods.cs_kd import CsKd\n\n\nclass Own(CsKd):\n    pass\n"
    (tmp_path / "own_part_of_reuse_test.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    user_defined = {"method": {"name": "own_part_of_reuse_test:Own"}}
    Executor(launched("first", **user_defined), until="search").run()
    assert offered(launched(**user_defined)) == ["first/controls/0", None, None, None]


def damaged_line(run: Path) -> None:
    content = (run / "metrics.jsonl").read_bytes()
    (run / "metrics.jsonl").write_bytes(content.replace(b'"epoch":2', b'"epoch":3', 1))


def other_outcome(run: Path) -> None:
    content = unseal((run / "outcome.json").read_bytes()) or {}
    content["metrics"][OBJECTIVE] = 0.0
    write_atomic(run / "outcome.json", seal(content))


def other_values(run: Path) -> None:
    lines = [unseal(line) for line in (run / "metrics.jsonl").read_bytes().splitlines()]
    lines[-1]["metrics"][OBJECTIVE] = 0.0
    write_atomic(run / "metrics.jsonl", b"".join(seal(line) + b"\n" for line in lines))


@pytest.mark.parametrize("damage", [damaged_line, other_outcome, other_values, shutil.rmtree])
def test_a_damaged_source_is_not_used(first: Path, launched, damage) -> None:
    damage(first / "trials" / "2")
    assert offered(launched()) == ["first/controls/0", "first/search/0", "first/search/1", None]


def test_a_study_that_cannot_be_opened_is_excluded(first: Path, launched) -> None:
    (first / "optuna.db").write_bytes(b"no database" * 1000)
    assert offered(launched()) == [None] * 4


def test_only_finished_runs_are_reused(launched) -> None:
    def fault(run, epoch) -> str | None:
        return {1: "nan", 2: "wrong"}.get(run.number) if run.phase == "search" and epoch == 2 else None

    Executor(launched("first"), fault, until="search").run()
    assert offered(launched()) == ["first/controls/0", "first/search/0", None, None]


def test_values_at_the_rungs_are_stored_for_the_scheduler(launched) -> None:
    of_tpe = {"search__sampler": {"name": "tpe"}, "training__epochs": 8}
    Executor(launched("first", **of_tpe), until="search").run()
    second = launched(**of_tpe, search__scheduler={"name": "asha"})
    assert trained(Executor(second, until="search").run()) == []
    for trial in second.store.trials("search"):
        rows = RunDirectory(second.directory / "trials" / str(trial.number)).epochs()
        assert trial.intermediate_values[5] == rows[4].metrics[OBJECTIVE]


def test_verify_reports_a_source_with_other_values(first: Path, launched) -> None:
    second = launched()
    Executor(second, until="search").run()
    other_values(first / "controls" / "0")
    assert [(each.rule, each.subject) for each in verify(second).violations] == [("reuse", "controls/0")]


@pytest.mark.fault(1)
@pytest.mark.parametrize(
    ("point", "source_goes"), [*((point, goes) for point in OF_REUSE for goes in (False, True)), (BEGUN, False)]
)
def test_a_driver_killed_while_it_copies_a_run(first: Path, toy, tmp_path: Path, point: str, source_goes: bool) -> None:
    folder = directory.create(toy(**SMALL, name="second"), tmp_path)
    child = os.fork()
    if child == 0:
        with open_study(folder) as study:
            arm(f"{point}:3:kill")
            Executor(begun(study)).run()
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    if source_goes:
        shutil.rmtree(first)
    with open_study(folder) as study:
        runs = {f"{phase}/{number}" for phase, number in trained(Executor(study).run())}
        verify_study(folder)
        assert verify(study).violations == []
        assert {name for name, source in sources(study).items() if source} == ALL - runs
        assert bool(runs) == source_goes
