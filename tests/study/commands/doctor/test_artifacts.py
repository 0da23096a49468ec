"""Tests of the checks of object stores."""

from pathlib import Path

from study.commands.doctor import artifacts


def test_each_object_store_of_the_studies_is_checked_once(new_study, tmp_path: Path) -> None:
    assert list(artifacts.check(tmp_path)) == []
    good, bad = tmp_path / "bucket", tmp_path / "file"
    bad.write_text("in the way")
    for name, place in (("one", good), ("two", good), ("three", bad), ("four", None)):
        new_study(name=name, artifacts=place and place.as_uri())
    problem, ok = sorted(artifacts.check(tmp_path), key=lambda found: found.level, reverse=True)
    assert (ok.level, ok.found) == ("ok", f"{good.as_uri()} is readable and writable")
    assert problem.level == "problem"
    assert problem.found.startswith(f"artifacts at {bad.as_uri()}: cannot be written: ")
    assert list(good.iterdir()) == []
