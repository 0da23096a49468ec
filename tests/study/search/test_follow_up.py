"""A follow-up study with a narrower search space."""

from pathlib import Path

import pytest
import yaml
from optuna.trial import TrialState

from search_spaces.space import contains
from study.definition.loading import build
from study.errors import UsageError
from study.outcome import result_files
from study.search.follow_up import refined
from tests.kit.fakes.executor import Executor
from trainables.runs.run_directory import EpochRow, RunDirectory

SPACE = {"temperature": {"low": 0.5, "high": 16, "log": True}, "lambda_cls": {"low": 0.1, "high": 8, "log": True}}


def test_the_space_is_narrower_and_the_best_points_come_first(new_study) -> None:
    study = new_study(search__space=SPACE, search__trials=24)
    Executor(study, until="search").run()
    found = refined(study.directory)
    old, new = study.config.space(), found.space()
    best = sorted(study.store.trials("search"), key=lambda trial: trial.values[0])
    assert all(new[name].high / new[name].low < old[name].high / old[name].low for name in old)
    assert [dict(point) for point in found.search.first] == [trial.params for trial in best[:4]]
    assert all(contains(new[name], value) for trial in best[:6] for name, value in trial.params.items())
    assert (found.name, found.search.sampler.seed) == ("toy-narrow", 1)


def test_a_range_is_not_extended_beyond_what_the_method_accepts(new_study) -> None:
    space = {"epsilon": {"low": 0.5, "high": 0.99}}
    study = new_study(method="label_smoothing", search__space=space, search__first=3 * [{"epsilon": 0.99}], controls=[])
    for point in study.config.search.first:
        trial = study.store.begin("search", point, study.config.space(), {})
        study.store.tell(trial, TrialState.COMPLETE, [0.1], 1, None)
    run_rows = {"validation/top1_error": 0.1}
    for number in range(3):
        RunDirectory(study.directory / "trials" / str(number)).append_epoch(EpochRow(1, 1, run_rows, 0.1, 0.0))
    result_files.write_results(study)
    assert refined(study.directory).space()["epsilon"].high == pytest.approx(0.99)


def test_too_few_trials_are_refused(new_study) -> None:
    study = new_study()
    result_files.write_results(study)
    with pytest.raises(UsageError, match="0 search trials have completed"):
        refined(study.directory)


def test_the_narrow_command_writes_a_study_file(cskd, done_directory: Path, tmp_path: Path) -> None:
    code, out, _ = cskd("narrow", done_directory)
    assert code == 0
    assert build(yaml.safe_load(out), "x").name == "toy-narrow"
    code, out, _ = cskd("narrow", done_directory, "--out", tmp_path / "next.yaml")
    assert code == 0
    assert " ".join(out.split()).endswith(f"then run: cskd launch {tmp_path / 'next.yaml'}")
    assert yaml.safe_load((tmp_path / "next.yaml").read_text())["search"]["first"]
