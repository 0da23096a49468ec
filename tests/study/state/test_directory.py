"""Tests that a study directory is created once and never changes its study."""

from pathlib import Path

import pytest

from study.errors import CannotCreateError, StudyDirectoryError
from study.machine import free_space
from study.state import directory as study_directory
from study.state.directory import create, open_study, read_config, read_results, studies_in


def test_a_directory_is_created_once_and_its_study_is_frozen(toy, tmp_path: Path) -> None:
    directory = create(toy(), tmp_path)
    assert directory == tmp_path / "toy"
    assert [path.name for path in directory.iterdir() if not path.name.startswith(".")] == ["study.yaml"]
    assert read_config(directory).resolved() == toy().resolved()
    with pytest.raises(
        StudyDirectoryError, match=f"already holds this study; resume it with `cskd resume {directory}`"
    ):
        create(toy(), tmp_path)


def test_another_study_of_the_same_name_is_refused_with_the_differences(toy, tmp_path: Path) -> None:
    create(toy(), tmp_path)
    before = (tmp_path / "toy/study.yaml").read_bytes()
    space = {"temperature": {"choices": [1, 4]}, "lambda_cls": {"low": 1, "high": 5, "step": 1}}
    other = toy(training__lr=0.2, search__space=space, search__objectives=["validation/nll"])
    with pytest.raises(StudyDirectoryError) as caught:
        create(other, tmp_path)
    message = str(caught.value)
    assert "holds another study of this name" in message
    assert "training.lr: 0.1 there, 0.2 here" in message
    assert "search.objectives: ['validation/top1_error'] there, ['validation/nll'] here" in message
    assert "search.space.lambda_cls.high: 4.0 there, 5.0 here" in message
    assert "choose another name or another --storage" in message
    assert caught.value.exit_code == 64
    assert (tmp_path / "toy/study.yaml").read_bytes() == before


def test_many_differences_are_cut_short(toy, tmp_path: Path) -> None:
    create(toy(), tmp_path)
    options = {"lr": 1, "momentum": 0, "batch_size": 1, "threads": 2, "weight_decay": 0, "milestones": [0.3]}
    with pytest.raises(StudyDirectoryError, match="; and 2 more"):
        create(toy(training=options | {"epochs": 4}), tmp_path)


def test_the_same_study_written_differently_is_recognised(toy, tmp_path: Path) -> None:
    create(toy(), tmp_path)
    same = toy(search__space__temperature={"low": 1, "high": 4, "step": 3}, resources="auto")
    with pytest.raises(StudyDirectoryError, match="already holds this study"):
        create(same, tmp_path)


@pytest.mark.fault(20)
def test_a_file_in_place_of_the_directory_is_refused(toy, tmp_path: Path) -> None:
    (tmp_path / "toy").write_text("")
    with pytest.raises(CannotCreateError, match="toy: cannot be created or written: File exists") as caught:
        create(toy(), tmp_path)
    assert caught.value.exit_code == 73


def test_a_directory_without_a_study_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(StudyDirectoryError, match=r"no study here \(study.yaml is missing\)"), open_study(empty):
        pass
    assert list(empty.iterdir()) == []
    with pytest.raises(StudyDirectoryError, match=r"no study here \(no such folder\)"):
        read_config(tmp_path / "missing")


def test_a_nearby_study_is_suggested(toy, tmp_path: Path) -> None:
    made = create(toy(), tmp_path / "runs")
    for place, hint in {
        tmp_path / "runs": f", but below it; name one of {made}$",
        tmp_path: f", but below it; name one of {made}$",
        made / "results": rf"; did you mean {made}\?",
        made.parent / "tyo": rf"; did you mean {made}\?",
    }.items():
        with pytest.raises(StudyDirectoryError, match=f"^{place}: no study here{hint}"):
            read_results(place)


def test_studies_of_a_storage_folder_are_sorted_by_name(toy, tmp_path: Path) -> None:
    for name in ("b", "a"):
        create(toy(name=name), tmp_path)
    (tmp_path / "other").mkdir()
    assert studies_in(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert studies_in(tmp_path / "missing") == []


def test_the_number_of_trials_comes_from_the_file_or_an_extension(new_study) -> None:
    study = new_study()
    assert study.trials_wanted == 8
    study.store.set_study_attribute("trials", 20)
    assert new_study().trials_wanted == 20
    assert study_directory.read_config(study.directory).search.trials == 8


@pytest.mark.fault(17)
def test_without_free_space_nothing_is_created(toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_space, "LEAST_BYTES", 1 << 60)
    with pytest.raises(OSError, match="No space left on device"):
        study_directory.create(toy(), tmp_path / "runs")
    assert list(tmp_path.iterdir()) == []
