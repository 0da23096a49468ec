"""Tests the requirements that runs check on their node."""

import contextlib
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from study.cluster import requirements
from study.cluster.requirements import Requirements, marker_file
from study.state import provenance
from trainables.datasets.digits import Digits
from trainables.errors import DataError, ObjectStoreError, UnfitNodeError
from trainables.interfaces import Dataset


def test_this_node_is_fit_while_the_driver_keeps_its_marker_file(tmp_path: Path) -> None:
    with marker_file(tmp_path) as marker:
        assert list(tmp_path.iterdir()) == [marker]
        wanted = pickle.loads(pickle.dumps(Requirements(provenance.code_digest(), marker)))
        wanted.check()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnfitNodeError, match="is not the study directory of the driver's machine"):
        wanted.check()
    Requirements(provenance.code_digest(), None).check()  # no marker file with an object store


def test_marker_files_of_killed_drivers_are_removed_after_a_day(tmp_path: Path) -> None:
    old, others = tmp_path / ".node-of-a-killed-driver", tmp_path / ".node-of-another"
    old.write_text("driver")
    os.utime(old, (0, 0))
    others.write_text("driver")
    with marker_file(tmp_path) as marker:
        assert set(tmp_path.iterdir()) == {marker, others}
    assert list(tmp_path.iterdir()) == [others]


def test_a_node_with_a_broken_path_to_the_directory_is_unfit(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UnfitNodeError, match="is not the study directory"):
        Requirements(provenance.code_digest(), tmp_path / "loop" / ".node-1").check()


def test_other_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnfitNodeError, match=f"other code of cs-kd-study .{provenance.code_digest()}, the driver 0000"):
        Requirements("0000", None).check()


def test_gpus_that_were_not_measured_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "_gpu_kind_of_node", lambda: "T4")
    wanted = Requirements(provenance.code_digest(), None, gpu_kinds=frozenset({"T4", "H100"}))
    wanted.check()
    with pytest.raises(UnfitNodeError, match=r"its GPUs \(T4\) were not measured; `cskd resume` measures them"):
        replace(wanted, gpu_kinds=frozenset({"H100"})).check()


@pytest.mark.parametrize(
    ("result", "fit"),
    [(True, True), (False, False), (DataError("damaged"), True), (ObjectStoreError("away"), True), (OSError(), True)],
)
def test_a_node_without_free_space_for_the_data_is_unfit(
    monkeypatch: pytest.MonkeyPatch, result: bool | Exception, fit: bool
) -> None:
    def has_room(_: Dataset) -> bool:
        if isinstance(result, Exception):  # the run itself reports it
            raise result
        return result

    monkeypatch.setattr(Dataset, "has_room", has_room)
    wanted = Requirements(provenance.code_digest(), None, Digits())
    with (
        contextlib.nullcontext()
        if fit
        else pytest.raises(
            UnfitNodeError, match="has too little free space for a copy of the data; set CSKD_CACHE there"
        )
    ):
        wanted.check()


def test_a_worker_keeps_the_code_that_it_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Requirements(requirements._code_of_process(), None)
    monkeypatch.setattr(provenance, "code_digest", lambda: "0000")  # another version is installed
    wanted.check()
