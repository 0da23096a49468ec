"""Tests of finding a trained teacher by its checkpoint or by a study's run."""

import copy
import shutil

import pytest

from analysis.records import result_files
from study.definition import loading, teachers, yaml_reader
from study.driver import comparability
from study.driver.single_run import read_train_config
from study.errors import StudyFileError
from study.state import directory as study_directory
from tests.kit.fakes.executor import Executor
from tests.kit.inputs.training import patterns, small_config
from trainables.errors import CheckpointError, ConfigError, DataError
from trainables.files.durable import sha256_of
from trainables.interfaces import Teacher
from trainables.runs.checkpoint_names import checksum_of, generations
from trainables.runs.run_directory import Outcome
from trainables.training.run import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run: its folder and its checkpoint."""
    folder = tmp_path_factory.mktemp("run")
    config = small_config("cs_kd", dataset=patterns(8), epochs=1)
    training = Run(config, folder, keep_checkpoint=True)
    while not isinstance(training.advance(), Outcome):
        pass
    return folder, generations(folder / "checkpoints")[0]


@pytest.fixture
def finished(done_directory, run, tmp_path):
    """A finished study whose confirmation runs hold a real checkpoint."""
    study = tmp_path / "finished"
    shutil.copytree(done_directory, study)
    for path in study.glob("confirm/*/checkpoints/epoch_*.pt"):
        shutil.copy(run[1], path)
        shutil.copy(checksum_of(run[1]), checksum_of(path))
    return study


def content(method, **more):
    return {
        "name": "distilled",
        "dataset": patterns(8),
        "model": {"name": "preact_resnet10", "width": 4, "input_size": 8},
        "method": method,
        "training": {"epochs": 1, "batch_size": 16, "device": "cpu"},
        "search": {"trials": 2, "sampler": {"name": "random"}},
        **more,
    }


def write(path, content):
    path.write_bytes(yaml_reader.dump(content))
    return path


def test_a_checkpoint_gets_its_digest_and_the_errors_of_its_run(run):
    folder, path = run
    found = teachers.resolved(Teacher(checkpoint=path))
    assert found.sha256 == sha256_of(path.read_bytes())
    rows = Run(small_config("cs_kd", dataset=patterns(8), epochs=1), folder, attempt=2)._rows
    assert found.validation_top1_error == rows[1].metrics["validation/top1_error"]
    assert found.test_top1_error is None
    assert found.trained_on == "train"


def test_a_run_of_a_study_is_found_by_arm_and_seed(finished):
    rows = result_files.read(finished / "results").confirmations
    for arm in ("winner", "controls/0"):
        name = result_files.read(finished / "results").study["finalists"][0] if arm == "winner" else arm
        row = rows[(rows["arm"] == name) & (rows["seed"] == 2)].iloc[0]
        found = teachers.resolved(Teacher(study=finished, seed=2, arm=arm))
        assert found.checkpoint.parent == finished / "confirm" / str(row["trial"]) / "checkpoints"
        assert found.test_top1_error == row["test/top1_error"]
        assert found.trained_on == row["trained_on"] == "full"
        assert 0 <= found.validation_top1_error <= 1


def test_teachers_of_a_study_file_are_looked_up_once(finished, tmp_path):
    kd = {"name": "kd", "teacher": {"study": str(finished), "seed": 1}}
    control = {"method": "kd_cs_kd", "teacher": dict(kd["teacher"])}
    path = write(
        tmp_path / "my.yaml", content(kd, controls=[control, {"method": copy.deepcopy(kd) | {"temperature": 2}}])
    )
    config = loading.load(path)
    assert config.method.teacher.sha256 is not None
    assert [config.control_config(n).method.teacher for n in (0, 1)] == 2 * [config.method.teacher]
    directory = study_directory.create(config, tmp_path / "storage")
    shutil.rmtree(finished)
    again = study_directory.read_config(directory)
    assert again.resolved() == config.resolved()
    with pytest.raises(CheckpointError, match=r"no teacher at .*: there is no such file"):
        comparability.check_data(again)


def test_a_teacher_with_other_classes_is_refused(run, tmp_path):
    path = write(tmp_path / "my.yaml", content({"name": "kd", "teacher": {"checkpoint": str(run[1])}}))
    config = loading.load(path)
    assert set(config.space()) == {"temperature", "lambda_kd"}
    comparability.check_data(config)
    other = config.model_copy(update={"dataset": small_config().dataset})
    with pytest.raises(CheckpointError, match="trained on 4 classes, such as 'a', which are not the 4 of the data set"):
        comparability.check_data(other)


def test_the_teacher_is_in_the_result_files(run, tmp_path):
    path = write(tmp_path / "my.yaml", content({"name": "kd", "teacher": {"checkpoint": str(run[1])}}))
    directory = study_directory.create(loading.load(path), tmp_path / "storage")
    with study_directory.open_study(directory) as study:
        Executor(study).run()
        row = result_files.read(directory / "results").trials.iloc[0]
        assert row["params/teacher.sha256"] == study.config.method.teacher.sha256
        assert row["params/teacher.validation_top1_error"] == study.config.method.teacher.validation_top1_error


def test_the_run_digest_ignores_the_path_of_the_checkpoint(run, tmp_path):
    moved = tmp_path / "epoch_000001.pt"
    shutil.copy(run[1], moved)
    shutil.copy(checksum_of(run[1]), checksum_of(moved))
    one, other = (
        small_config({"name": "kd", "teacher": {"checkpoint": str(path), "sha256": sha256_of(path.read_bytes())}})
        for path in (run[1], moved)
    )
    assert one.digest() == other.digest()
    assert one.digest() != small_config({"name": "kd", "teacher": {"checkpoint": str(moved)}}).digest()


def test_the_teacher_of_a_single_run_is_looked_up(run, tmp_path):
    options = {"name": "kd", "teacher": {"checkpoint": str(run[1])}}
    path = write(tmp_path / "best.yaml", small_config(options).model_dump(mode="json"))
    assert read_train_config(path).method.teacher.sha256 == sha256_of(run[1].read_bytes())


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (None, "method.teacher: kd learns from a trained network; give checkpoint: FILE, or study: DIR and seed: N"),
        ({"study": "x"}, "give seed, too"),
        ({"study": "x", "seed": 1, "checkpoint": "y"}, "give either checkpoint or study, not both"),
        ({"chekpoint": "x"}, "unknown key; did you mean 'checkpoint'"),
    ],
)
def test_a_mistake_in_a_teacher_is_reported_in_one_line(tmp_path, teacher, message):
    path = write(tmp_path / "my.yaml", content({"name": "kd"} | ({"teacher": teacher} if teacher else {})))
    with pytest.raises(StudyFileError) as caught:
        loading.load(path)
    assert len(caught.value.mistakes) == 1
    assert message in caught.value.mistakes[0]


def test_a_missing_or_damaged_checkpoint_is_refused(run, tmp_path):
    with pytest.raises(CheckpointError, match=r"no teacher at .*none\.pt: No such file"):
        teachers.resolved(Teacher(checkpoint=tmp_path / "none.pt"))
    path = tmp_path / "epoch_000001.pt"
    path.write_bytes(run[1].read_bytes()[:-1])
    shutil.copy(checksum_of(run[1]), checksum_of(path))
    with pytest.raises(CheckpointError, match="does not match its checksum; it is damaged"):
        teachers.resolved(Teacher(checkpoint=path))


def test_a_study_without_the_run_is_refused(finished, tmp_path):
    with pytest.raises(DataError, match=r"teacher's study .*none does not exist; launch it first"):
        teachers.resolved(Teacher(study=tmp_path / "none", seed=1))
    with pytest.raises(DataError, match="has no run of seed 99; it has 1, 2"):
        teachers.resolved(Teacher(study=finished, seed=99))
    with pytest.raises(DataError, match="arm controls/9 has no run of seed 1; it has none"):
        teachers.resolved(Teacher(study=finished, seed=1, arm="controls/9"))
    for path in finished.glob("confirm/*/checkpoints/*"):
        path.unlink()
    with pytest.raises(CheckpointError, match="has no checkpoint; it was removed"):
        teachers.resolved(Teacher(study=finished, seed=1))


def test_a_teacher_for_other_images_is_refused(run):
    config = loading.build(teachers.resolve(content({"name": "kd", "teacher": {"checkpoint": str(run[1])}})), "x")
    larger = small_config(dataset=patterns(16)).dataset
    model = small_config(model={"name": "preact_resnet10", "width": 4, "input_size": 16}).model
    with pytest.raises(ConfigError, match="input_size is 8, but the images of the data set are 16x16"):
        comparability.check_data(config.model_copy(update={"dataset": larger, "model": model}))
