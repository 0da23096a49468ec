"""Describes what a study will do, without reading data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search_spaces import space
from study.search.halving import ladder_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from study.definition.study_config import StudyConfig


def describe(config: StudyConfig) -> dict[str, Any]:
    """Returns the components, the search space and the number of runs of each phase, as JSON-compatible values."""
    trials, ladder = config.planned_trials(config.search.trials), ladder_of(config)
    rungs = dict(zip(map(str, ladder.lengths), ladder.counts(trials), strict=True))
    epochs = config.training.epochs
    controls = [config.control_config(number) for number in range(len(config.controls))]
    finalists = min(config.confirm.finalists, rungs[str(epochs)])
    once = ladder.epochs(trials) + sum(control.training.epochs for control in controls)
    confirmed = finalists * epochs + sum(control.training.epochs for control in controls)
    seeds = len(config.confirm.seeds)
    race = _race(config, rungs[str(epochs)])
    raced = race["runs"] if race else 0
    return {
        "name": config.name,
        "digest": config.digest(),
        "method": config.method.part_name(),
        "dataset": config.dataset.part_name(),
        "model": config.model.part_name(),
        "objective": config.objective,
        "objectives": list(config.search.objectives),
        "space": {name: space.as_mapping(distribution) for name, distribution in config.space().items()},
        "sampler": config.search.sampler.name,
        "scheduler": config.search.scheduler.name,
        "trials": trials,
        "rungs": rungs,
        "search_epochs": ladder.epochs(trials),
        "budget": config.search.budget.model_dump(mode="json"),
        "controls": [control.method.part_name() for control in controls],
        "race": race,
        "finalists": finalists,
        "seeds": seeds,
        "train_on": config.confirm.train_on,
        "confirmations": (finalists + len(controls)) * seeds,
        "runs": sum(rungs.values()) + len(controls) + raced + (finalists + len(controls)) * seeds,
        "epochs_a_run": epochs,
        "epochs": once + raced * epochs + confirmed * seeds,
    }


def entries(found: Mapping[str, Any]) -> dict[str, str]:
    """Returns the result of ``describe`` as text, by heading."""
    controls = ", ".join(found["controls"])
    full = found["train_on"] == "full"
    trained_on = "the full training set" if full else "the training set without the validation split"
    return {
        "training": f"{found['method']} on {found['dataset']} with {found['model']}, "
        f"{_count(found['epochs_a_run'], 'epoch')} per run",
        "search space": "; ".join(f"{name} {range_text(parameter)}" for name, parameter in found["space"].items()),
        "search": f"{' and '.join(found['objectives'])} with {found['sampler']}, "
        f"{_count(found['trials'], 'trial')}, {_scheduler(found)}{_budget(found['budget'])}",
        "controls": f"{len(found['controls'])} ({controls})" if controls else "none",
        **_race_entry(found["race"]),
        "confirmation": f"{_count(found['finalists'], 'finalist')} and {_count(len(found['controls']), 'control')} "
        f"with {_count(found['seeds'], 'seed')}, trained on {trained_on}: {_count(found['confirmations'], 'run')}",
        "total": f"{_count(found['runs'], 'run')}, {_epochs(found)}",
    }


def data_entries(found: Mapping[str, Any]) -> dict[str, str]:
    """Returns the result of ``comparability.describe_data`` as text, by heading; empty if the data were not read."""
    if not found:
        return {}
    return {
        "data": f"{found['classes']:,} classes, {_count(found['training_images'], 'training image')}, "
        f"{_count(found['validation_images'], 'validation image')}; the test set was not read",
        "digests": f"data {found['data_digest']}, split {found['split_digest']}",
    }


def _race(config: StudyConfig, trials: int) -> dict[str, int] | None:
    """Returns candidates, seeds and the maximum number of runs of the race; None without a race or enough trials."""
    rule = config.confirm.race
    if rule is None or trials <= config.confirm.finalists:
        return None
    candidates = min(rule.candidates, trials)
    return {"candidates": candidates, "seeds": rule.seeds, "runs": candidates * rule.seeds}


def _race_entry(race: Mapping[str, int] | None) -> dict[str, str]:
    if race is None:
        return {}
    limits = f"{race['candidates']} candidates with {race['seeds']} separate seeds, at most {race['runs']} runs"
    return {"race": f"{limits}; candidates that fall behind drop out"}


def _scheduler(found: Mapping[str, Any]) -> str:
    if found["scheduler"] == "none":
        return "no scheduler"
    if found["scheduler"] != "halving":
        return f"{found['scheduler']} stops trials early"
    rungs = [f"{count} with {_count(int(length), 'epoch')}" for length, count in found["rungs"].items()]
    return f"halving: {', '.join(rungs)}"


def _epochs(found: Mapping[str, Any]) -> str:
    epochs = f"{found['epochs']:,} epochs"
    if found["scheduler"] == "halving":  # promotions do not wait, so a point may be promoted before a better one
        return f"{epochs}, or more if better points are found late"
    return f"at most {epochs}"


def _budget(budget: Mapping[str, Any]) -> str:
    parts = [(budget["hours"], "h"), (budget["device_hours"], "device-hours")]
    limits = " and ".join(f"{limit:g} {unit}" for limit, unit in parts if limit is not None)
    return (
        f"; at most {limits}, of which {100 * budget['reserve_for_confirmation']:.0f} % for the confirmation"
        if limits
        else ""
    )


def range_text(parameter: Mapping[str, Any]) -> str:
    """Returns a human-readable range of a parameter.

    Example:
        >>> range_text({"low": 0.5, "high": 16.0, "log": True}), range_text({"choices": [1, 4]})
        ('0.5 to 16 (log)', 'in {1, 4}')
    """
    if "choices" in parameter:
        return "in {" + ", ".join(f"{x:g}" if isinstance(x, float) else str(x) for x in parameter["choices"]) + "}"
    step = f" in steps of {parameter['step']:g}" if "step" in parameter else ""
    return f"{parameter['low']:g} to {parameter['high']:g}{step}{' (log)' if parameter.get('log') else ''}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
