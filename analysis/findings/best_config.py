"""Collects a study's outcome: the winner first, then the other arms, with their measurements and tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analysis.paper.printed import Published, comparable, method_label, published
from analysis.records import frames, parameters
from analysis.records.result_files import Results, ResultsError
from analysis.statistics.over_seeds import (
    Interval,
    MeanStd,
    PairedDifference,
    mean_std,
    paired_difference,
    relative_error_reduction,
    t_interval,
)
from trainables.runs.run_key import RunKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from analysis.records.parameters import Edge


@dataclass(frozen=True)
class Arm:
    """A configuration with its measurements; those on test data are None before its confirmation.

    Attributes:
        name: Name, such as ``search/7`` or ``controls/0``.
        role: ``winner``, ``finalist``, ``earlier finalist`` (confirmed before a longer search found better trials),
            ``control``, or ``candidate`` (best search trial before finalists are chosen).
        method: Label of the method.
        hyperparameters: Options of the method, and searched or differing training options as ``training.<name>``.
        search_value: Validation value in the search; optimistic for arms that were selected.
        posterior_mean: Mean of a Gaussian process over all search trials, if it selected the finalists.
        race_mean: Mean validation value over the fresh seeds of the race, if one selected the finalists.
        seeds: Fresh training seeds with a test value.
        test: Mean and sample standard deviation over those seeds.
        interval: 95 % t interval of the mean; None for a single seed.
        difference: Arm minus baseline over the seeds that both have; None for the baseline itself.
        error_reduction: Reduction relative to the baseline's mean over the same seeds, in percent; errors only.
        optimism: Test mean minus search value; positive for an error means that the search was optimistic.
        best_test: Mean over seeds of the best epoch's test error, as in published tables; None unless recorded.
        at_best_validation: Mean over seeds of the test value at the best validation epoch; None unless recorded.
        trained_on: Training data of the confirmation, ``full`` or ``train``.
        failed: Number of failed confirmation runs.
        edges: Ends of the searched ranges at which the arm lies; empty for controls, whose values were not searched.
        device_hours: Device hours of its own runs, in the search or the controls and in the confirmation.
        published: The paper's value for the same data set, model and method.
        not_comparable: Reason why that value must not be compared with the arm's; None if it may.
    """

    name: str
    role: str
    method: str
    hyperparameters: Mapping[str, Any]
    search_value: float | None
    posterior_mean: float | None = None
    race_mean: float | None = None
    seeds: tuple[int, ...] = ()
    test: MeanStd | None = None
    interval: Interval | None = None
    difference: PairedDifference | None = None
    error_reduction: float | None = None
    optimism: float | None = None
    best_test: MeanStd | None = None
    at_best_validation: MeanStd | None = None
    trained_on: str | None = None
    failed: int = 0
    edges: tuple[Edge, ...] = ()
    device_hours: float = 0.0
    published: Published | None = None
    not_comparable: str | None = None


@dataclass(frozen=True)
class Origin:
    """Code and study file behind a study's values, as its last launch or resume recorded them; else None or empty.

    Attributes:
        study_digest: Digest of the resolved study file.
        commit: Commit of the code, with ``+changes`` if the working tree differed from it.
        versions: Versions of Python and of the libraries that affect results.
    """

    study_digest: str | None = None
    commit: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BestConfig:
    """The outcome of a study.

    Attributes:
        study: Name of the study.
        dataset: Name of the data set.
        model: Name of the model.
        objective: Metric that the search optimised, such as ``validation/top1_error``.
        metric: The same quantity on the test set.
        searched: Names of the searched parameters.
        arms: Winner, further finalists by rank in the search, earlier finalists, controls.
        baseline: Name of the arm that the others are compared with.
        extended: Whether search trials started after the first reading of the test set.
        device_hours: Device hours of all runs of the study.
        origin: Code and study file behind it.
    """

    study: str
    dataset: str
    model: str
    objective: str
    metric: str
    searched: tuple[str, ...]
    arms: tuple[Arm, ...]
    baseline: str | None
    extended: bool = False
    device_hours: float = 0.0
    origin: Origin = field(default_factory=Origin)

    @property
    def confirmed(self) -> bool:
        """Whether the first arm has a value on the test set."""
        return self.arms[0].test is not None


def collect(results: Results) -> BestConfig:
    """Collects a study's outcome; before its confirmation the only arm is the best search trial, without test values.

    Finalists are in the order of their selection: test values never change it.

    Raises:
        ResultsError: No search trial has completed.
    """
    study, objective, metric = results.study, frames.objective(results), _test_metric(results)
    values = frames.values_by_seed(results, metric)
    arms = tuple(_arm(results, name, entry, values) for name, entry in _entries(results).items())
    names = (study["config"]["dataset"]["name"], study["config"]["model"]["name"])
    return BestConfig(
        study["name"],
        *names,
        objective,
        metric,
        tuple(study["distributions"]),
        arms,
        study["baseline"],
        study.get("extended", False),
        _hours(results.trials) + _hours(results.confirmations),
        _origin(study),
    )


def winner_name(results: Results) -> str | None:
    """Returns the name of the first arm, such as ``search/7``; None if no search trial has completed."""
    try:
        return next(iter(_entries(results)))
    except ResultsError:
        return None


def winner_config(results: Results) -> dict[str, Any]:
    """Returns the ``TrainConfig`` of the winner's first completed confirmation run, as a mapping.

    Raises:
        ResultsError: The winner has no completed confirmation run.
    """
    finalists = results.study["finalists"]
    seeds = list(frames.values_by_seed(results, _test_metric(results)).get(finalists[0], {})) if finalists else []
    if not seeds:
        raise ResultsError(
            f"{results.study['name']!r} has no confirmed winner yet; "
            "run `cskd resume` or `cskd confirm` on the study directory"
        )
    config: dict[str, Any] = results.study["arms"][finalists[0]]["config"]
    confirmed = results.confirmations[results.confirmations["arm"] == finalists[0]]
    return config | {"train_on": str(confirmed["trained_on"].iloc[0]), "seed": seeds[0]}


def _test_metric(results: Results) -> str:
    return f"test/{frames.objective(results).rpartition('/')[2]}"


def _entries(results: Results) -> dict[str, dict[str, Any]]:
    """Returns finalists by rank, earlier finalists and controls; the best search trial if there are no finalists.

    Arms that were measured on test data are kept, even if a longer search replaced them.
    """
    arms, finalists = results.study["arms"], results.study["finalists"]
    first = {name: arms[name] | {"role": "finalist"} for name in finalists} or _candidate(results)
    if finalists:
        first[finalists[0]]["role"] = "winner"
    others = {name: arm for name, arm in arms.items() if name not in first}
    confirmed = set(results.confirmations["arm"])
    earlier = {
        name: arm | {"role": "earlier finalist"}
        for name, arm in others.items()
        if arm["role"] != "control" and name in confirmed
    }
    return first | earlier | {name: arm for name, arm in others.items() if arm["role"] == "control"}


def _candidate(results: Results) -> dict[str, dict[str, Any]]:
    ranked = frames.ranked_trials(results)
    if ranked.empty:
        raise ResultsError(
            f"no search trial of {results.study['name']!r} has completed; see `cskd status` on the study directory"
        )
    trial = {str(name): value for name, value in ranked.iloc[0].items()}
    found = frames.parameters(trial)
    method = {name: value for name, value in found.items() if not name.startswith("training.")}
    training = {name.removeprefix("training."): value for name, value in found.items() if name.startswith("training.")}
    study = results.study["config"]
    config = {
        "dataset": study["dataset"],
        "model": study["model"],
        "method": study["method"] | method,
        "training": study["training"] | training,
        "train_on": "train",
        "seed": int(trial["seed"]),
    }
    value = float(trial[frames.objective(results)])
    return {str(RunKey("search", trial["trial"])): {"role": "candidate", "config": config, "search_value": value}}


def _arm(results: Results, name: str, entry: Mapping[str, Any], by_arm: Mapping[str, Mapping[int, float]]) -> Arm:
    config, search_value, baseline = entry["config"], entry["search_value"], results.study["baseline"]
    values, metric = by_arm.get(name, {}), _test_metric(results)
    runs = results.confirmations[results.confirmations["arm"] == name]
    trained_on = str(runs["trained_on"].iloc[0]) if len(runs) else None
    quantity, label = metric.removeprefix("test/"), method_label(config["method"])
    printed = published(config["dataset"]["name"], config["model"]["name"], label, quantity)
    best_test = _values(runs, "best_test/top1_error")
    at_best_validation = _values(runs, f"at_best_validation/{quantity}")
    test = mean_std(list(values.values())) if values else None
    hyperparameters = _hyperparameters(config, _varied_training(results))
    return Arm(
        name=name,
        role=entry["role"],
        method=label,
        hyperparameters=hyperparameters,
        search_value=search_value,
        posterior_mean=entry.get("posterior_mean"),
        race_mean=entry.get("race_mean"),
        seeds=tuple(values),
        test=test,
        interval=t_interval(list(values.values())) if values else None,
        **_difference_to_baseline(values, {} if name == baseline else by_arm.get(baseline, {}), metric),
        optimism=test.mean - search_value if test and search_value is not None else None,
        best_test=mean_std(best_test) if best_test and quantity == "top1_error" else None,
        at_best_validation=mean_std(at_best_validation) if at_best_validation else None,
        trained_on=trained_on,
        failed=int((runs["state"] == "FAIL").sum()),
        edges=() if entry["role"] == "control" else parameters.edges(results, hyperparameters),
        device_hours=_hours(frames.trial(results, name)) + _hours(runs),
        published=printed,
        not_comparable=comparable({**config, "train_on": trained_on or config["train_on"]}) if printed else None,
    )


def _origin(study: Mapping[str, Any]) -> Origin:
    last: Mapping[str, Any] = [{}, *study.get("provenance", ())][-1]
    return Origin(study["digests"].get("study"), last.get("commit"), last.get("versions") or {})


def _values(runs: pd.DataFrame, column: str) -> list[float]:
    """Returns the values of a column of completed runs; empty if there is no such column."""
    return [float(value) for value in runs.loc[runs["state"] == "COMPLETE"].reindex(columns=[column])[column].dropna()]


def _hours(runs: pd.DataFrame) -> float:
    return float(runs["device_seconds"].sum()) / 3600


def _hyperparameters(config: Mapping[str, Any], training: Iterable[str]) -> dict[str, Any]:
    method = {name: value for name, value in config["method"].items() if name != "name"}
    return method | {f"training.{name}": config["training"][name] for name in training}


def _varied_training(results: Results) -> list[str]:
    """Returns training options that are searched or differ between arms, such as a control's own weight decay."""
    searched = {name.removeprefix("training.") for name in results.study["distributions"]}
    first, *others = (entry["config"]["training"] for entry in _entries(results).values())
    return [name for name in first if name in searched or any(other.get(name) != first[name] for other in others)]


def _difference_to_baseline(values: Mapping[int, float], baseline: Mapping[int, float], metric: str) -> dict[str, Any]:
    """Returns paired difference and relative error reduction over the seeds that both arms have."""
    common = [seed for seed in values if seed in baseline]
    if not common:
        return {}
    ours, theirs = [values[seed] for seed in common], [baseline[seed] for seed in common]
    is_error = metric.endswith("_error")
    reduction = relative_error_reduction(mean_std(theirs).mean, mean_std(ours).mean) if is_error else None
    return {"difference": paired_difference(ours, theirs), "error_reduction": reduction}
