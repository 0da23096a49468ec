"""What runs ask of their node; a real node with other code joins in test_cluster.py."""

import contextlib
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from study.cluster import requirements
from study.cluster.requirements import Demands, marked
from study.state import provenance
from trainables.datasets.digits import Digits
from trainables.errors import DataError, ObjectStoreError, UnfitNodeError
from trainables.interfaces import Dataset


def test_this_node_is_fit_and_the_mark_goes_with_the_driver(tmp_path: Path) -> None:
    with marked(tmp_path) as mark:
        assert list(tmp_path.iterdir()) == [mark]
        asked = pickle.loads(pickle.dumps(Demands(provenance.code_digest(), mark)))
        asked.check()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnfitNodeError, match="is not the study directory of the driver's machine"):
        asked.check()
    Demands(provenance.code_digest(), None).check()  # an object store: nothing is shared


def test_what_a_killed_driver_left_goes_a_day_later_and_others_are_left_alone(tmp_path: Path) -> None:
    old, others = tmp_path / ".node-of-a-killed-driver", tmp_path / ".node-of-another"
    old.write_text("driver")
    os.utime(old, (0, 0))
    others.write_text("driver")
    with marked(tmp_path) as mark:
        assert set(tmp_path.iterdir()) == {mark, others}
    assert list(tmp_path.iterdir()) == [others]


def test_a_broken_way_to_the_directory_is_no_fit_node(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UnfitNodeError, match="is not the study directory"):
        Demands(provenance.code_digest(), tmp_path / "loop" / ".node-1").check()


def test_other_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnfitNodeError, match=f"other code of cs-kd-study .{provenance.code_digest()}, the driver 0000"):
        Demands("0000", None).check()


def test_gpus_that_were_not_measured_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "_own_gpus", lambda: "T4")
    asked = Demands(provenance.code_digest(), None, kinds=frozenset({"T4", "H100"}))
    asked.check()
    with pytest.raises(
        UnfitNodeError, match=r"its GPUs \(T4\) are none of those that were measured; `cskd resume` looks"
    ):
        replace(asked, kinds=frozenset({"H100"})).check()


@pytest.mark.parametrize(
    ("answer", "fit"),
    [(True, True), (False, False), (DataError("damaged"), True), (ObjectStoreError("away"), True), (OSError(), True)],
)
def test_a_disk_without_room_for_the_data_is_no_fit_node(
    monkeypatch: pytest.MonkeyPatch, answer: bool | Exception, fit: bool
) -> None:
    def has_room(_: Dataset) -> bool:
        if isinstance(answer, Exception):  # the run itself says that
            raise answer
        return answer

    monkeypatch.setattr(Dataset, "has_room", has_room)
    asked = Demands(provenance.code_digest(), None, Digits())
    with (
        contextlib.nullcontext()
        if fit
        else pytest.raises(UnfitNodeError, match="has no room for a copy of the data; set CSKD_CACHE there")
    ):
        asked.check()


def test_a_worker_keeps_the_code_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Demands(requirements._own_code(), None)
    monkeypatch.setattr(provenance, "code_digest", lambda: "0000")  # somebody installs another version
    asked.check()
