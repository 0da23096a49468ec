"""Mutation tests: deliberate defects and the tests that must detect them: ``python -m tests.mutations [WORD]...``.

Each defect is inserted into a copy of the source tree; words select the defects whose description contains one of them.
The exit code is 1 if a defect is not detected or its tests fail without it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
COPIED = ("study", "trainables", "search_spaces", "analysis", "tests", "pyproject.toml")


class Mutation(NamedTuple):
    """Defect in the source code.

    Attributes:
        what: Description of the defect.
        file: Source file.
        code: Code to replace, which occurs once in the file.
        becomes: Replacement.
        tests: Tests that must fail.
    """

    what: str
    file: str
    code: str
    becomes: str
    tests: str


MUTATIONS = (
    Mutation(
        "a file is renamed before it is synced",
        "trainables/files/durable.py",
        "            file.flush()\n            os.fsync(file.fileno())\n",
        "            file.flush()\n",
        "tests/trainables/files/test_durable.py::test_a_file_is_synced_before_it_is_renamed",
    ),
    Mutation(
        "the directory is not synced after a rename",
        "trainables/files/durable.py",
        "    sync_directory(path.parent)\n",
        "",
        "tests/trainables/files/test_durable.py::test_a_file_is_synced_before_it_is_renamed",
    ),
    Mutation(
        "an appended line is not synced",
        "trainables/files/durable.py",
        "            os.fsync(descriptor)\n",
        "",
        "tests/trainables/files/test_durable.py::test_an_appended_line_is_synced",
    ),
    Mutation(
        "a line is appended to a truncated one",
        "trainables/files/durable.py",
        '        if size and os.pread(descriptor, 1, size - 1) != b"\\n":\n            line = b"\\n" + line\n',
        "",
        "tests/trainables/files/test_durable.py::test_a_truncated_line_is_terminated_and_skipped",
    ),
    Mutation(
        "the checksum of a line is not checked",
        "trainables/files/sealed_json.py",
        "if not body or rest[:DIGITS] != _checksum(body):",
        "if not body:",
        "tests/trainables/files/test_sealed_json.py",
    ),
    Mutation(
        "the checksum of a checkpoint is not checked",
        "trainables/runs/checkpoint.py",
        "if sha256_of(content).encode() != expected:",
        "if False:",
        "tests/trainables/runs/test_checkpoint.py::test_a_damaged_checkpoint_is_refused_and_the_previous_one_is_used",
    ),
    Mutation(
        "only one generation of checkpoints is kept",
        "trainables/runs/checkpoint.py",
        "GENERATIONS = 2",
        "GENERATIONS = 1",
        "tests/trainables/runs/test_checkpoint.py::test_two_generations_are_kept_newest_first",
    ),
    Mutation(
        "checkpoints are deleted before the outcome is written",
        "trainables/training/run.py",
        '        faultpoint("run: finished, no outcome")\n',
        '        self._directory.delete_checkpoints()\n        faultpoint("run: finished, no outcome")\n',
        "tests/promises/test_crash_points.py::test_a_worker_killed_at_a_point_ends_with_the_same_numbers",
    ),
    Mutation(
        "a run continues after a non-finite value",
        "trainables/training/run.py",
        "        if not all_finite(values):\n            return self._diverge(values)\n        seconds",
        "        seconds",
        "tests/trainables/test_tune.py::test_a_value_that_is_not_finite_ends_the_run_at_any_epoch",
    ),
    Mutation(
        "a superseded attempt may write",
        "trainables/runs/run_directory.py",
        "        if self.is_superseded(attempt):\n            raise",
        "        if False:\n            raise",
        "tests/trainables/runs/test_run_directory.py::test_a_late_outcome_is_refused",
    ),
    Mutation(
        "epochs after the checkpoint of a retry count",
        "trainables/runs/run_directory.py",
        'if epoch <= line["after_epoch"]}',
        "}",
        "tests/trainables/runs/test_run_directory.py::test_a_new_attempt_replaces_the_epochs_after_its_checkpoint",
    ),
    Mutation(
        "late reports of an earlier attempt are accepted",
        "study/driver/dispatcher.py",
        "if found is not None and found[1].attempt == attempt else None",
        "if found is not None else None",
        "tests/study/driver/test_dispatcher.py::test_reports_of_an_earlier_attempt_are_ignored",
    ),
    Mutation(
        "a pruned trial is reported as COMPLETE",
        "study/driver/dispatcher.py",
        "TrialState.PRUNED, None if",
        "TrialState.COMPLETE, None if",
        "tests/study/driver/test_dispatcher.py::test_a_scheduler_prunes_only_search_trials",
    ),
    Mutation(
        "a trial that ran out of memory is retried beside others",
        "study/driver/dispatcher.py",
        "alone=outcome.error_kind == ALONE_KIND)",
        "alone=False)",
        "tests/study/driver/test_dispatcher.py::test_a_run_that_ran_out_of_memory_is_retried_once_alone",
    ),
    Mutation(
        "a full disk counts against the trial",
        "study/driver/dispatcher.py",
        "        if outcome.error_kind == FULL_KIND:\n            raise",
        "        if False:\n            raise",
        "tests/study/driver/test_dispatcher.py::test_a_full_disk_of_a_worker_stops_the_study_without_a_failure_of_the_trial",
    ),
    Mutation(
        "the lock of a study is not taken",
        "study/state/lease.py",
        "        lock.acquire(timeout=1)",
        "        pass",
        "tests/study/state/test_lease.py::test_the_error_of_a_second_driver_names_the_holder",
    ),
    Mutation(
        "a damaged database replaces its copy",
        "study/state/database_copies.py",
        "    if not is_intact(path):\n        return\n",
        "",
        "tests/study/state/test_database_copies.py::test_a_damaged_database_does_not_replace_its_copy",
    ),
    Mutation(
        "a run is created in MLflow even if it exists",
        "study/tracking/reconciler.py",
        "        if stored is None:\n            stored = self._service.create",
        "        if True:\n            stored = self._service.create",
        "tests/promises/test_crash_points.py::test_what_tells_mlflow_is_killed_at_a_point",
    ),
    Mutation(
        "a process that hangs is reported but not ended",
        "trainables/costs/watchdog.py",
        "exit=True",
        "exit=False",
        "tests/trainables/costs/test_watchdog.py::test_a_process_that_hangs_is_ended_and_reports_where",
    ),
    Mutation(
        "a superseded worker writes to the store",
        "trainables/runs/mirrored_directory.py",
        "        return self._objects.is_superseded(attempt)\n",
        "        return False\n",
        "tests/trainables/runs/test_mirrored_directory.py::test_a_superseded_worker_neither_overwrites_nor_continues",
    ),
    Mutation(
        "a run resumes from a superseded worker's checkpoint",
        "trainables/runs/run_objects.py",
        "(each for each in saved if each in trained)",
        "(each for each in saved if each.epoch in {epoch for _, epoch in trained})",
        "tests/trainables/runs/test_mirrored_directory.py::test_a_checkpoint_of_a_replaced_epoch_is_not_used",
    ),
    Mutation(
        "a checkpoint from the store is not compared with its checksum",
        "trainables/runs/run_objects.py",
        "        if sha256_of(path.read_bytes()).encode() != expected:\n",
        "        if not expected:\n",
        "tests/trainables/runs/test_mirrored_directory.py::test_a_damaged_checkpoint_is_skipped_for_the_previous_one",
    ),
    Mutation(
        "the last line is uploaded without the predictions",
        "trainables/runs/mirrored_directory.py",
        "                if path.exists():  # training writes them just before the line of the last epoch\n",
        "                if False:\n",
        "tests/trainables/runs/test_mirrored_directory.py::test_predictions_are_uploaded_before_the_last_line_and_the_outcome_last",
    ),
)


def tests_pass(tree: Path, *tests: str) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout", "60", *tests]
    # Byte code of its own for each run: a defect may have the size and the second of the code that it replaces.
    with tempfile.TemporaryDirectory(prefix="cskd-byte-code-") as cache:
        environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONPYCACHEPREFIX": cache}
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):  # the tests did not run
        raise SystemExit(done.stdout + done.stderr)
    return done.returncode == 0


def mutate(tree: Path, mutation: Mutation) -> None:
    text = (tree / mutation.file).read_text()
    if text.count(mutation.code) != 1:
        raise SystemExit(f"{mutation.what}: its code occurs {text.count(mutation.code)} times in {mutation.file}")
    (tree / mutation.file).write_text(text.replace(mutation.code, mutation.becomes))


def is_detected(tree: Path, mutation: Mutation) -> bool:
    original = (tree / mutation.file).read_bytes()
    mutate(tree, mutation)
    try:
        return not tests_pass(tree, mutation.tests)
    finally:
        (tree / mutation.file).write_bytes(original)


def main(words: list[str]) -> int:
    chosen = [found for found in MUTATIONS if not words or any(word in found.what for word in words)]
    if not chosen:
        print(f"no defect is called {' or '.join(words)}; there are: {'; '.join(found.what for found in MUTATIONS)}")
        return 64
    missed = 0
    with tempfile.TemporaryDirectory(prefix="cskd-mutations-") as folder:
        tree = Path(folder)
        for name in COPIED:
            place = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy2
            place(REPOSITORY / name, tree / name)
        if not tests_pass(tree, *sorted({mutation.tests for mutation in chosen})):
            print("the tests fail without a defect")
            return 1
        for mutation in chosen:
            start = time.monotonic()
            detected = is_detected(tree, mutation)
            missed += not detected
            print(
                f"{'detected' if detected else 'MISSED  '} {time.monotonic() - start:5.1f} s  {mutation.what}",
                flush=True,
            )
    print(f"{len(chosen) - missed} of {len(chosen)} defects detected")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
