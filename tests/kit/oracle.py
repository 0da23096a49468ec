"""What must hold of a study directory after any fault: V1 to V6 of the acceptance list, as far as files can tell."""

import json
from collections import Counter
from pathlib import Path

from analysis import records
from study.course import phases_of
from study.directory import open_study
from study.phases import FOLDERS
from trainables.run_directory import RunDirectory


def verify_study(directory: Path, *, done: bool = True, retrained_per_attempt: int = 1) -> dict[str, int]:
    """Asserts V1, V3, V4, V5 and V6; returns counts for a report."""
    counts = Counter()
    with open_study(directory) as study:
        for phase in phases_of(study):
            trials = study.store.trials(phase.name)
            assert [trial.number for trial in trials] == list(range(len(trials)))  # unique, without gaps
            if done:
                assert len(trials) == phase.planned(), (phase.name, len(trials), phase.planned())
                assert all(trial.state.is_finished() for trial in trials), phase.name  # V1
            for trial in trials:
                run = RunDirectory(directory / FOLDERS[phase.name] / str(trial.number))
                rows = run.epochs()
                assert [row.epoch for row in rows] == list(range(1, len(rows) + 1))  # V4
                attempts = trial.user_attrs["attempt"]
                again = run.epochs_trained() - len(rows)
                assert again <= retrained_per_attempt * (attempts - 1), (
                    phase.name,
                    trial.number,
                    again,
                    attempts,
                )  # V3
                counts["trials"] += 1
                counts["attempts"] += attempts
                counts["retrained_epochs"] += again
                if trial.state.name == "COMPLETE":
                    assert len(rows) == study.config.training.epochs
                    assert trial.value == rows[-1].metrics[phase.objective]  # V5
        if phases_of(study)[1].planned() == len(study.store.trials("search")):
            points = [json.dumps(trial.params, sort_keys=True) for trial in study.store.trials("search")]
            counts["duplicates"] = len(points) - len(set(points))
    if done:
        results = records.read(directory / "results")  # V6: every checksum and schema holds
        keys = list(zip(results.epochs["phase"], results.epochs["trial"], results.epochs["epoch"], strict=True))
        assert len(keys) == len(set(keys))  # V4
        assert set(results.trials["state"]) <= {"COMPLETE", "PRUNED", "FAIL"}
    return dict(counts)


def finished_runs(directory: Path) -> dict[Path, bytes]:
    """Content of every finished run's metrics; a later driver must not change it (V2)."""
    outcomes = list(directory.glob("*/*/outcome.json"))
    return {path: (path.parent / "metrics.jsonl").read_bytes() for path in outcomes}
