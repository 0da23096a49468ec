"""Summarises a study in sentences: setup, findings and protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.drawing.style import plain
from analysis.findings import best_config, race_words
from analysis.findings.table_notes import paper_note, selection, verdict
from analysis.records import frames, parameters
from analysis.records.result_files import ResultsError
from analysis.words.units import size
from analysis.words.wording import (
    STATES,
    metric_words,
    number_of,
    probability,
    reuse_words,
    scale_of,
    signed,
    spread,
    with_unit,
)
from search_spaces.symbols import symbol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from analysis.findings.best_config import Arm, BestConfig
    from analysis.records.parameters import Parameter
    from analysis.records.result_files import Results

_BYTES = frozenset({"memory_limit"})  # options of parts that are numbers of bytes
PHASES = {"search": "The search", "race": "The race", "confirm": "The confirmation"}


def setup(results: Results) -> tuple[str, ...]:
    """Returns sentences on data, model, method, space, trials, seeds and time."""
    return tuple(_setup(results))


def findings(results: Results) -> tuple[str, ...]:
    """Returns sentences on winner, test value, difference to the baseline, optimism and paper, or why there is none."""
    try:
        best = best_config.collect(results)
    except ResultsError:
        return (f"No search trial has completed ({counted(results, 'search')}), so there is nothing to recommend.",)
    return tuple(_findings(best))


def protocol(results: Results) -> tuple[str, ...]:
    """Returns sentences on the split, the selection of the winner, and the readings of the test set."""
    return tuple(_protocol(results))


def counted(results: Results, phase: str) -> str:
    """Counts the runs of a phase by state.

    Returns:
        Text such as ``12 completed, 1 pruned``, or ``none``.
    """
    runs = results.confirmations if phase == "confirm" else results.trials[results.trials["phase"] == phase]
    states = runs["state"].value_counts()
    return ", ".join(f"{states[name]} {word}" for name, word in STATES.items() if name in states) or "none"


def _setup(results: Results) -> Iterator[str]:
    study, config = results.study, results.study["config"]
    search, training = config.get("search", {}), config["training"]
    space = " and ".join(_range(parameter) for parameter in parameters.searched(results)) or "nothing"
    model, data = _part(config["model"]), _part(config["dataset"])
    yield f"The study {study['name']} searched {space} of {config['method']['name']} for {model} on {data}."
    sampler = search.get("sampler", {})
    suggested = f", suggested by the sampler {sampler['name']} (seed {sampler['seed']})" if sampler else ""
    yield (
        f"Search trials: {counted(results, 'search')}; each of at most {training['epochs']} epochs with batches of "
        f"{training['batch_size']}{suggested}. {_objectives(study['objectives'])}"
    )
    scheduler = search.get("scheduler", {"name": "none"})["name"]
    if scheduler == "halving":
        yield (
            "The scheduler halving trained each point with the schedule compressed to fewer epochs, and the better "
            "ones again with longer schedules; the short runs count as pruned."
        )
    elif scheduler != "none":
        yield f"The scheduler {scheduler} stopped trials that fell behind; they count as pruned."
    for phase, ended in study.get("cut_short", {}).items():
        yield f"{PHASES[phase]} was cut short after {ended['runs']} runs: {ended['reason']}."
    if (race := study.get("race")) and race["runs"]:
        yield race_words.race_text(race)
    yield f"Controls: {counted(results, 'controls')}. {_confirmation(results)}"
    reused = results.trials["reused_from"].dropna()
    if len(reused):
        yield reuse_words([label.partition("/")[0] for label in reused])
    seconds = sum(float(frame["device_seconds"].sum()) for frame in (results.trials, results.confirmations))
    yield f"All runs together trained for {_duration(seconds)}."


def _objectives(metrics: list[str]) -> str:
    goals = [frames.goal(metric).removesuffix("e") + "ed" for metric in metrics]
    if len(metrics) == 1:
        return f"The objective, {metric_words(metrics[0])}, is {goals[0]}."
    named = " and ".join(f"{metric_words(metric)} ({goal})" for metric, goal in zip(metrics, goals, strict=True))
    return f"There are two objectives, {named}; trials are ranked by the first, finalists are on their Pareto front."


def _confirmation(results: Results) -> str:
    runs = results.confirmations
    if runs.empty:
        return "Nothing is confirmed yet."
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(runs["seed"]))
    return (
        f"Confirmation: {runs['arm'].nunique()} arms with the fresh seeds {seeds}; runs: {counted(results, 'confirm')}."
    )


def _part(config: Mapping[str, Any]) -> str:
    """Returns a part's name with its numeric options, such as ``preact_resnet10 (width 8, input size 8)``."""
    numbers = [
        f"{name.replace('_', ' ')} {size(int(x)) if name in _BYTES else _number(x)}"
        for name, x in config.items()
        if isinstance(x, int | float) and not isinstance(x, bool)
    ]
    return f"{config['name']} ({', '.join(numbers)})" if numbers else str(config["name"])


def _range(parameter: Parameter) -> str:
    label, name = plain(parameter.label), plain(parameter.name)
    named = label if label == name else f"{label} ({name})"
    if parameter.choices:
        return f"{named} among {', '.join(map(_number, parameter.choices))}"
    kind = " (logarithmic)" if parameter.log else f" in steps of {parameter.step:g}" if parameter.step else ""
    return f"{named} from {parameter.low:g} to {parameter.high:g}{kind}"


def _findings(best: BestConfig) -> Iterator[str]:
    winner = best.arms[0]
    values = ", ".join(
        f"{plain(symbol(name).text)} = {_number(winner.hyperparameters[name])}" for name in best.searched
    )
    role = "winner" if winner.role == "winner" else "best search trial"
    yield f"The {role} is {winner.name}: {winner.method}{f' with {values}' if values else ''}."
    if winner.test is None:
        value = with_unit(spread(winner.search_value, None, best.objective), best.objective)
        yield f"Its {metric_words(best.objective)} in the search was {value}, optimistic because it was selected."
    else:
        yield from _tested(best, winner)
    if winner.published:
        yield paper_note(winner, best.metric)


def _tested(best: BestConfig, winner: Arm) -> Iterator[str]:
    assert winner.test is not None  # noqa: S101 - the caller checked
    value = with_unit(spread(winner.test.mean, winner.test.std, best.metric), best.metric)
    seeds = f"n={number_of(winner.test.n, 'fresh seed')}"
    yield f"Its {metric_words(best.metric)} is {value} (mean ± sample standard deviation, {seeds})."
    if winner.difference and best.baseline:
        yield f"{_difference(best, winner)} {verdict(winner.name, best.baseline, winner.difference)}"
    if winner.optimism is not None:
        search = with_unit(spread(winner.search_value, None, best.metric), best.metric)
        yield f"Its search value was {search}: optimism {_points(winner.optimism, best.metric)}."


def _difference(best: BestConfig, winner: Arm) -> str:
    assert winner.difference is not None  # noqa: S101 - the caller checked
    mean, interval, p, n = winner.difference
    baseline = next(arm for arm in best.arms if arm.name == best.baseline)
    text = f"Difference to the baseline, {baseline.name} ({baseline.method}): {_points(mean, best.metric)}"
    if interval:
        low, high = signed(interval.low, best.metric), signed(interval.high, best.metric)
        text += f" (95 % interval {low} to {high}, p = {probability(p)}, {n} pairs of seeds)".replace("= <", "< ")
    return f"{text}."


def _points(value: float, metric: str) -> str:
    return f"{signed(value, metric)} {'points' if scale_of(metric)[0] == 100 else 'nats'}"


def _duration(seconds: float) -> str:
    """Returns a duration in seconds below two minutes, in minutes below two hours, else in hours."""
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else plain(value)


def _protocol(results: Results) -> Iterator[str]:
    study = results.study
    split, dataset = study["digests"].get("split"), study["config"]["dataset"]
    rule = dataset.get("validation") or {}
    share = ""
    if rule.get("per_class") is not None:
        share = number_of(rule["per_class"], "image")
    elif rule.get("fraction") is not None:
        share = f"{100 * rule['fraction']:.4g} %"
    size_text = f" ({share} of each class, seed {rule.get('seed')})" if share else ""
    yield f"Decisions use a validation split of the training data{size_text}; its digest is {split or 'not known yet'}."
    try:
        yield selection(best_config.collect(results))
    except ResultsError:
        yield "No winner has been selected."
    yield _readings(results)


def _readings(results: Results) -> str:
    ledger, runs = results.study["ledger"], len(results.confirmations)
    if not ledger:
        return "The test set has not been read."
    readers = {line.get("trial") for line in ledger}
    attempts = {(line.get("trial"), line.get("attempt")) for line in ledger}
    text = (
        f"The test set was read {number_of(len(ledger), 'time')}, "
        f"by {len(readers)} of {number_of(runs, 'confirmation run')}"
    )
    if (results.study["config"].get("confirm") or {}).get("test_each_epoch"):
        return f"{text}: after each epoch, for the optimistic best-on-test column."
    again = len(attempts) - len(readers)
    return f"{text}; {number_of(again, 'repeated attempt')} of a run read it again." if again else f"{text}."
