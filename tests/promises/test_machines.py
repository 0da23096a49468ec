"""Study on a Ray cluster of simulated machines that are disconnected, reconnected and killed."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from study.state.directory import open_study
from study.views import status
from tests.kit.faults.oracle import verify_study, verify_tracking
from tests.kit.patience import patience
from tests.kit.servers.machines import ROOT, TRIALS, Machines
from tests.kit.servers.namespaces import possible

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    if not possible():
        pytest.skip("this process may not make network namespaces (root and `ip` are needed)")
    made = Machines(tmp_path)
    yield made
    made.network.close()


def check(machines: Machines, process: subprocess.Popen) -> dict[str, int]:
    assert process.wait(patience(200)) == 0, machines.log()
    counts = verify_study(machines.folder / "toy")
    assert verify_tracking(machines.folder / "toy")["FINISHED"] == TRIALS + 1 + 4
    return counts


def test_a_machine_is_cut_off_and_comes_back(machines: Machines, record_property: Callable) -> None:
    machines.join("one")
    machines.join("two")
    process = machines.launch()
    machines.wait_for(process, "controls/0: COMPLETE")
    machines.network.cut("two")
    noticed = machines.wait_for(process, "the worker process was lost")
    machines.network.mend("two")  # its Ray node exits, because the head has declared it dead
    machines.network.kill("two")
    machines.join("two")
    counts = check(machines, process)
    assert noticed < 30
    assert counts["retrained_epochs"] <= 1
    record_property("result", f"noticed after {noticed:.1f} s; {counts}")


def test_a_machine_loses_its_power_and_another_joins(machines: Machines, record_property: Callable) -> None:
    machines.join("one")
    process = machines.launch()
    machines.wait_for(process, "controls/0: COMPLETE")
    machines.network.kill("one")
    waited = machines.wait_for(process, "waiting for one")
    machines.join("three")
    counts = check(machines, process)
    record_property("result", f"said after {waited:.1f} s that no machine is left; {counts}")


def test_machines_that_join_later_and_are_not_fit_get_no_run(machines: Machines, tmp_path: Path) -> None:
    machines.join("one")
    process = machines.launch("--set", "training.epochs=12")
    machines.wait_for(process, "controls/0: COMPLETE")
    machines.join("two", code=another_version(tmp_path))
    machines.wait_for(process, "is excluded: it has other code of cs-kd-study")
    machines.join("three", shared=False)
    machines.wait_for(process, f"is excluded: {tmp_path / 'toy'} there is not the study directory")
    assert check(machines, process)["retrained_epochs"] == 0
    (line,) = [line for line in machines.log().splitlines() if line.startswith("runs on node")]
    assert line.startswith(f"runs on node {machines.network.addresses['one']}")
    with open_study(tmp_path / "toy") as study:
        trials = [trial for phase in ("controls", "search", "confirm") for trial in study.store.trials(phase)]
        assert len(status.describe(study)["left_out"]) == 2
    assert not any("failures" in trial.user_attrs for trial in trials)
    assert not list((tmp_path / "toy").glob(".node-*"))


def another_version(folder: Path) -> Path:
    """Returns a checkout with a changed copy of ``trainables``."""
    copied = shutil.copytree(ROOT / "trainables", folder / "other" / "trainables")
    with (copied / "metrics.py").open("a") as file:
        file.write("# another version\n")
    return copied.parent
