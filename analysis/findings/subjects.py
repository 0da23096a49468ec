"""Selects the arms whose predictions a figure shows: winners and one control per method, on the same test images."""

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
        label: Name of the method as printed; with the study's letter if several subjects have that method.
        method: Label of the method, such as ``cs_kd_e``.
        arm: Study and arm, such as ``cifar100, search/7``.
        trials: Confirmation runs that have predictions, by training seed.
        results: Study of the arm.
    """

    label: str
    method: str
    arm: str
    trials: dict[int, int]
    results: Results

    def read(self, seed: int, *, features: bool = False) -> Predictions:
        """Reads the predictions of one run.

        Raises:
            ResultsError: The predictions are damaged.
        """
        return predictions.of_run(self.results, self.trials[seed], features=features)

    def read_all(self) -> Iterator[Predictions]:
        """Yields the predictions of each run, without features."""
        return (self.read(seed) for seed in self.trials)

    def classes(self, count: int) -> tuple[str, ...]:
        """Returns the names of the classes, or their numbers if no names were saved."""
        names = predictions.classes(predictions.path_of(self.results, next(iter(self.trials.values()))))
        return names if len(names) == count else tuple(str(number) for number in range(count))

    def groups(self) -> tuple[str, ...]:
        """Returns the group of each class; empty if the classes have no groups."""
        return predictions.groups(predictions.path_of(self.results, next(iter(self.trials.values()))))


@dataclass(frozen=True)
class Subjects:
    """Subjects of a figure, in the order of all tables and figures.

    Attributes:
        all: Arms with predictions on the same test images.
        missing: Runs whose predictions cannot be read, such as ``cifar100, confirm/4``.
        excluded: Arms with another test set.
    """

    all: tuple[Subject, ...]
    missing: tuple[str, ...]
    excluded: tuple[str, ...]

    @property
    def seed(self) -> int | None:
        """First training seed that all have; None if there is none, and each shows its own first seed."""
        common = [seed for seed in self.all[0].trials if all(seed in each.trials for each in self.all)]
        return common[0] if common else None

    def read(self, subject: Subject, *, features: bool = False) -> Predictions:
        """Reads one run of a subject: that of the common seed, or its first."""
        return subject.read(self._seed_of(subject), features=features)

    def measured(self, subject: Subject, metric: str) -> float | None:
        """Returns a metric of the run that ``read`` reads; None if it was not measured."""
        runs = subject.results.confirmations
        found = runs.loc[runs["trial"] == subject.trials[self._seed_of(subject)]].reindex(columns=[metric])[metric]
        return float(found.iloc[0]) if found.notna().all() else None

    def _seed_of(self, subject: Subject) -> int:
        return next(iter(subject.trials)) if self.seed is None else self.seed


def collect(studies: Sequence[Results]) -> Subjects | None:
    """Selects all winners and, for each further method, its first control; None if none has predictions."""
    missing: list[str] = []
    found = [_readable(subject, missing) for subject in _chosen(studies)]
    kept = [subject for subject in found if subject.trials]
    if not kept:
        return None
    labels = [_labels(subject) for subject in kept]
    same = [subject for subject, each in zip(kept, labels, strict=True) if np.array_equal(each, labels[0])]
    excluded = tuple(subject.arm for subject in kept if subject not in same)
    ordered = sorted(same, key=lambda subject: method_rank(subject.method))
    return Subjects(tuple(_with_unique_labels(ordered, studies)), tuple(missing), excluded)


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
    """Returns arms with a completed confirmation run, the baseline first, so that it represents its method."""
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
    """Returns the subject with its readable runs; names of the others are appended to ``missing``."""
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


def _with_unique_labels(subjects: Sequence[Subject], studies: Sequence[Results]) -> Iterator[Subject]:
    """Yields the subjects, labelled with the letters of their studies if several share a method."""
    counts = Counter(subject.label for subject in subjects)
    for subject in subjects:
        letter = string.ascii_uppercase[[results is subject.results for results in studies].index(True)]
        yield subject if counts[subject.label] == 1 else replace(subject, label=f"{letter}: {subject.label}")
