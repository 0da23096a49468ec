"""Tests that a damaged database is restored from its copy, and that the study then ends with the same results."""

import contextlib
import functools
import os
import random
import sqlite3
from pathlib import Path

import pytest

from study.state import database_copies
from study.state.directory import open_study
from tests.kit.fakes.executor import DriverKilledError, Executor
from tests.kit.faults.oracle import finished_runs, verify_study

FILE = "optuna.db"


@pytest.fixture
def killed(new_study) -> Path:
    """A study whose driver was killed with one trial finished and one running."""
    study = new_study(search__trials=3, controls=[], confirm__seeds=[1])

    def fault(assignment, epoch):
        return "driver" if (assignment.number, epoch) == (1, 3) else None

    with pytest.raises(DriverKilledError):
        Executor(study, fault, slots=1).run()
    study.store.close()
    return study.directory


def cut(path: Path, share: float) -> None:
    size = path.stat().st_size
    os.truncate(path, {0: 0, 1: 1, -1: size - 1}.get(share, int(size * share)))


@pytest.mark.fault(18)
@pytest.mark.parametrize("share", [0, 1, 0.5, -1, None])
def test_a_truncated_or_missing_database_is_restored(killed: Path, share: float | None) -> None:
    path = killed / FILE
    path.unlink() if share is None else cut(path, share)
    before = finished_runs(killed)
    message = database_copies.restore(path)
    assert message == f"{path} is damaged or missing; it was restored from the copy of its last change"
    assert database_copies.restore(path) is None
    with open_study(killed) as study:
        assert [trial.state.name for trial in study.store.trials("search")] == ["COMPLETE", "RUNNING"]
        Executor(study).run()
    verify_study(killed)
    after = finished_runs(killed)
    assert {place: after[place] for place in before} == before  # V2


def test_an_intact_or_locked_database_is_not_changed(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = killed / FILE
    content = path.read_bytes()
    assert database_copies.restore(path) is None
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        monkeypatch.setattr(database_copies.sqlite3, "connect", functools.partial(sqlite3.connect, timeout=0))
        assert database_copies.is_intact(path)
        assert database_copies.restore(path) is None
    assert path.read_bytes() == content


def test_a_damaged_database_does_not_replace_its_copy(killed: Path) -> None:
    copy = (killed / f"{FILE}{database_copies.PREVIOUS}").read_bytes()
    damaged = bytearray((killed / FILE).read_bytes())
    damaged[4096:4104] = b"\xff" * 8  # the header of a page, which SQLite would copy unchecked
    (killed / FILE).write_bytes(damaged)
    database_copies.update(killed / FILE)
    assert (killed / f"{FILE}{database_copies.PREVIOUS}").read_bytes() == copy


@pytest.mark.fault(19)
def test_flipped_bits_in_page_headers_are_detected(killed: Path) -> None:
    path, generator = killed / FILE, random.Random(0)
    content = path.read_bytes()
    found = 0
    for _ in range(10):  # in page headers, which SQLite can check; values are compared with the run files
        flipped = bytearray(content)
        flipped[4096 * generator.randrange(1, 9) + generator.randrange(1, 8)] ^= 0x40
        path.write_bytes(flipped)
        found += not database_copies.is_intact(path)
    assert found >= 8
