"""Whose predictions a figure shows: winners and controls, one a method, all on the same test images."""

from __future__ import annotations

import string
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.findings import best_config
from analysis.paper.printed import method_label
from analysis.records import predictions
from analysis.records.result_files import ResultsError
from analysis.words.naming import method_name, method_rank

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from analysis.records.result_files import Results
    from trainables.runs.predictions import Predictions

BASELINE = "cross_entropy"


@dataclass(frozen=True)
class Subject:
    """An arm with predictions.

    Attributes:
        label: Its method as printed; with the study's letter where several have that method.
        method: Label of the method, such as ``cs_kd_e``.
        arm: Study and arm, such as ``cifar100, search/7``.
        trials: Confirmation runs that have predictions, by training seed.
        results: Its study.
    """

    label: str
    method: str
    arm: str
    trials: dict[int, int]
    results: Results

    def read(self, seed: int, *, features: bool = False) -> Predictions:
        """Predictions of one run.

        Raises:
            ResultsError: They are damaged.
        """
        return predictions.of_run(self.results, self.trials[seed], features=features)

    def read_all(self) -> Iterator[Predictions]:
        """Predictions of all runs, without features, one after the other."""
        return (self.read(seed) for seed in self.trials)

    def classes(self, count: int) -> tuple[str, ...]:
        """Names of the classes, or their numbers where no names were kept."""
        names = predictions.classes(predictions.path_of(self.results, next(iter(self.trials.values()))))
        return names if len(names) == count else tuple(str(number) for number in range(count))

    def groups(self) -> tuple[str, ...]:
        """Group of each class; empty where there is no hierarchy."""
        return predictions.groups(predictions.path_of(self.results, next(iter(self.trials.values()))))


@dataclass(frozen=True)
class Subjects:
    """Arms in the order of all tables and figures.

    Attributes:
        all: With predictions on the same test images.
        missing: Runs whose predictions cannot be read, such as ``cifar100, confirm/4``.
        left_out: Arms with another test set.
    """

    all: tuple[Subject, ...]
    missing: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def seed(self) -> int | None:
        """The first training seed that all have; None where there is none, and each shows its own first."""
        common = [seed for seed in self.all[0].trials if all(seed in each.trials for each in self.all)]
        return common[0] if common else None

    def read(self, subject: Subject, *, features: bool = False) -> Predictions:
        """One run of a subject, with the common seed where there is one."""
        return subject.read(self._seed_of(subject), features=features)

    def measured(self, subject: Subject, metric: str) -> float | None:
        """A metric of the run that ``read`` gives; None where it was not measured."""
        runs = subject.results.confirmations
        found = runs.loc[runs["trial"] == subject.trials[self._seed_of(subject)]].reindex(columns=[metric])[metric]
        return float(found.iloc[0]) if found.notna().all() else None

    def _seed_of(self, subject: Subject) -> int:
        return next(iter(subject.trials)) if self.seed is None else self.seed


def collect(studies: Sequence[Results]) -> Subjects | None:
    """Winners of all studies and, for each further method, its first control; None where nobody has predictions."""
    missing: list[str] = []
    found = [_readable(subject, missing) for subject in _chosen(studies)]
    kept = [subject for subject in found if subject.trials]
    if not kept:
        return None
    labels = [_labels(subject) for subject in kept]
    same = [subject for subject, each in zip(kept, labels, strict=True) if np.array_equal(each, labels[0])]
    left_out = tuple(subject.arm for subject in kept if subject not in same)
    ordered = sorted(same, key=lambda subject: method_rank(subject.method))
    return Subjects(tuple(_told_apart(ordered, studies)), tuple(missing), left_out)


def _chosen(studies: Sequence[Results]) -> Iterator[Subject]:
    arms = [(results, name) for results in studies for name in _arms(results)]
    winners = [(results, name) for results, name in arms if name == best_config.winner_name(results)]
    seen = set()
    for results, name in winners:
        seen.add(_method(results, name))
        yield _subject(results, name)
    for results, name in arms:
        method = _method(results, name)
        if method not in seen and results.study["arms"][name]["role"] == "control":
            seen.add(method)
            yield _subject(results, name)


def _arms(results: Results) -> list[str]:
    """Arms with a completed confirmation run; the baseline goes before other controls of its method."""
    runs = results.confirmations
    done = set(runs.loc[runs["state"] == "COMPLETE", "arm"])
    names = [name for name in results.study["arms"] if name in done]
    return sorted(names, key=lambda name: name != results.study["baseline"])


def _method(results: Results, name: str) -> str:
    return method_label(results.study["arms"][name]["config"]["method"])


def _subject(results: Results, name: str) -> Subject:
    runs = results.confirmations
    done = runs[(runs["arm"] == name) & (runs["state"] == "COMPLETE")].sort_values("trial")
    trials = {int(seed): int(trial) for seed, trial in zip(done["seed"], done["trial"], strict=True)}
    method = _method(results, name)
    return Subject(method_name(method), method, f"{results.study['name']}, {name}", trials, results)


def _readable(subject: Subject, missing: list[str]) -> Subject:
    """The subject with the runs whose predictions can be read; the others are noted."""
    trials = {}
    for seed, trial in subject.trials.items():
        try:
            predictions.of_run(subject.results, trial)
            trials[seed] = trial
        except ResultsError:
            missing.append(f"{subject.results.study['name']}, confirm/{trial}")
    return replace(subject, trials=trials)


def _labels(subject: Subject) -> NDArray[np.int64]:
    return subject.read(next(iter(subject.trials))).labels


def _told_apart(subjects: Sequence[Subject], studies: Sequence[Results]) -> Iterator[Subject]:
    """With the letters of their studies where several have one method."""
    counts = Counter(subject.label for subject in subjects)
    for subject in subjects:
        letter = string.ascii_uppercase[[results is subject.results for results in studies].index(True)]
        yield subject if counts[subject.label] == 1 else replace(subject, label=f"{letter}: {subject.label}")
