"""A damaged database is mended from its copy, and the study ends as if nothing had been."""

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
    """A study whose driver died with one trial done and one running."""
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
def test_a_database_that_was_cut_off_or_is_gone_is_mended(killed: Path, share: float | None) -> None:
    path = killed / FILE
    path.unlink() if share is None else cut(path, share)
    before = finished_runs(killed)
    said = database_copies.mend(path)
    assert said == f"{path} is damaged or gone; the study goes on with its copy from the last change"
    assert database_copies.mend(path) is None
    with open_study(killed) as study:
        assert [trial.state.name for trial in study.store.trials("search")] == ["COMPLETE", "RUNNING"]
        Executor(study).run()
    verify_study(killed)
    after = finished_runs(killed)
    assert {place: after[place] for place in before} == before  # V2


def test_a_sound_or_a_locked_database_is_left_alone(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = killed / FILE
    content = path.read_bytes()
    assert database_copies.mend(path) is None
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        monkeypatch.setattr(database_copies.sqlite3, "connect", functools.partial(sqlite3.connect, timeout=0))
        assert database_copies.is_whole(path)
        assert database_copies.mend(path) is None
    assert path.read_bytes() == content


def test_a_damaged_database_does_not_take_the_place_of_its_copy(killed: Path) -> None:
    copy = (killed / f"{FILE}{database_copies.PREVIOUS}").read_bytes()
    damaged = bytearray((killed / FILE).read_bytes())
    damaged[4096:4104] = b"\xff" * 8  # the head of a page, which SQLite would copy as it is
    (killed / FILE).write_bytes(damaged)
    database_copies.keep(killed / FILE)
    assert (killed / f"{FILE}{database_copies.PREVIOUS}").read_bytes() == copy


@pytest.mark.fault(19)
def test_bits_flipped_where_the_database_keeps_its_order_are_found(killed: Path) -> None:
    path, generator = killed / FILE, random.Random(0)
    content = path.read_bytes()
    found = 0
    for _ in range(10):  # in the header of a page, where SQLite has redundancy; values are compared with the files
        flipped = bytearray(content)
        flipped[4096 * generator.randrange(1, 9) + generator.randrange(1, 8)] ^= 0x40
        path.write_bytes(flipped)
        found += not database_copies.is_whole(path)
    assert found >= 8
