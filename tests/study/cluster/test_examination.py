"""Tests the examination of nodes before the first trial; the long test uses real Ray nodes."""

import os
from pathlib import Path

import pytest

from study.cluster import examination
from study.cluster.requirements import Requirements, marker_file
from study.errors import ServiceError
from study.state import provenance
from trainables.errors import UnfitNodeError


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    path = tmp_path / ".node-1"
    path.write_text("driver")
    return path


def report(**changes) -> examination.NodeReport:
    default = {
        "host": "n1",
        "code": provenance.code_digest(),
        "versions": provenance.versions(),
        "reads": True,
        "error": None,
    }
    return examination.NodeReport(**default | changes)


def test_a_node_that_shares_code_and_directory_is_fit(marker):
    found = examination.inspect_node(marker)
    assert (found.reads, found.error) == (True, None)
    examination.refuse_unfit("10.0.0.2", found, marker)
    assert examination.version_differences("10.0.0.2", found.versions, provenance.versions()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code": "0000"}, r"it has other code of cs-kd-study \(0000, the driver"),
        ({"reads": False}, "all nodes must share it"),
        ({"reads": False, "error": "No such file or directory"}, "must share it .*No such file"),
        ({"error": "Read-only file system"}, "cannot be written: Read-only file system"),
        ({"host": "elsewhere"}, "all nodes must share it"),  # it wrote to another folder than the driver's
    ],
)
def test_an_unfit_node_is_named_with_the_remedy(marker, changes, message):
    marker.with_name(".node-1.n1").write_text("here")
    examination.refuse_unfit("10.0.0.2", report(), marker)
    with pytest.raises(ServiceError, match=message) as caught:
        examination.refuse_unfit("10.0.0.2", report(**changes), marker)
    assert str(caught.value).startswith("node 10.0.0.2: ")


def test_a_missing_directory_is_reported_without_an_exception(tmp_path):
    found = examination.inspect_node(tmp_path / "gone" / ".node-1")
    assert (found.reads, found.error) == (False, "No such file or directory")


def test_a_node_denied_access_to_the_directory_is_unfit(marker, monkeypatch):
    def denying(function):
        def denied(path, *args, **options):
            if Path(path).parent == marker.parent:
                raise PermissionError(13, "Permission denied", str(path))
            return function(path, *args, **options)

        return denied

    with monkeypatch.context() as patch:  # not chmod, which does not restrict root
        patch.setattr(os, "stat", denying(os.stat))
        patch.setattr(os, "lstat", denying(os.lstat))
        patch.setattr(Path, "write_text", denying(Path.write_text))
        found = examination.inspect_node(marker)
        with pytest.raises(UnfitNodeError, match="not the study directory of the driver's machine"):
            Requirements(provenance.code_digest(), marker).check()
    assert (found.reads, found.error) == (False, "Permission denied")
    with pytest.raises(ServiceError, match=r"must share it .*: Permission denied"):
        examination.refuse_unfit("10.0.0.2", found, marker)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_real_nodes(tmp_path, monkeypatch):
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        cluster.add_node(num_cpus=1)
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        with marker_file(tmp_path) as marker:
            assert examination.examine(marker) == []
        monkeypatch.setattr(
            provenance, "code_digest", lambda: "0000"
        )  # in this process only, not in the nodes' processes
        with marker_file(tmp_path) as marker, pytest.raises(ServiceError, match="has other code of cs-kd-study"):
            examination.examine(marker)
        assert not list(tmp_path.glob(".node-*"))
    finally:
        ray.shutdown()
        cluster.shutdown()
