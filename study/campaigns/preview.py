"""What a study will do, said before it does it; reads no data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search_spaces import space
from study.search.halving import ladder_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from study.definition.study_config import StudyConfig


def describe(config: StudyConfig) -> dict[str, Any]:
    """Parts, space and number of runs of each phase; ready for JSON."""
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
        "space": {name: space.as_mapping(of) for name, of in config.space().items()},
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
    """``describe`` in words, by heading."""
    controls = ", ".join(found["controls"])
    full = found["train_on"] == "full"
    trained_on = "the full training set" if full else "the training set without the validation split"
    return {
        "trains": f"{found['method']} on {found['dataset']} with {found['model']}, "
        f"{_count(found['epochs_a_run'], 'epoch')} a run",
        "searches": "; ".join(f"{name} {range_text(words)}" for name, words in found["space"].items()),
        "for": f"{' and '.join(found['objectives'])} with {found['sampler']} in "
        f"{_count(found['trials'], 'trial')}, {_scheduler(found)}{_budget(found['budget'])}",
        "controls": f"{len(found['controls'])} ({controls})" if controls else "none",
        **_race_words(found["race"]),
        "confirms": f"{_count(found['finalists'], 'finalist')} and {_count(len(found['controls']), 'control')} with "
        f"{_count(found['seeds'], 'seed')}, trained on {trained_on}: {_count(found['confirmations'], 'run')}",
        "in all": f"{_count(found['runs'], 'run')}, {found['epochs']:,} epochs {_bound(found['scheduler'])}",
    }


def data_entries(found: Mapping[str, Any]) -> dict[str, str]:
    """``comparability.describe_data`` in words, by heading; nothing where the data was not read."""
    if not found:
        return {}
    return {
        "data": f"{found['classes']:,} classes, {_count(found['training_images'], 'image')} to train on, "
        f"{found['validation_images']:,} for validation; the test part stays closed",
        "digests": f"data {found['data_digest']}, split {found['split_digest']}",
    }


def _race(config: StudyConfig, trials: int) -> dict[str, int] | None:
    """Candidates, seeds and the most runs of the race; None where there is none, or too few trials for one."""
    rule = config.confirm.race
    if rule is None or trials <= config.confirm.finalists:
        return None
    candidates = min(rule.candidates, trials)
    return {"candidates": candidates, "seeds": rule.seeds, "runs": candidates * rule.seeds}


def _race_words(race: Mapping[str, int] | None) -> dict[str, str]:
    if race is None:
        return {}
    words = f"{race['candidates']} candidates with {race['seeds']} seeds of their own: {race['runs']} runs at most"
    return {"races": f"{words}, those that fall behind drop out"}


def _scheduler(found: Mapping[str, Any]) -> str:
    if found["scheduler"] == "none":
        return "no scheduler"
    if found["scheduler"] != "halving":
        return f"{found['scheduler']} stops trials early"
    rungs = [f"{count} with {_count(int(length), 'epoch')}" for length, count in found["rungs"].items()]
    return f"halving: {', '.join(rungs)}"


def _bound(scheduler: str) -> str:
    if scheduler == "halving":  # promotions do not wait, so some come before a better point is there
        return "or some more, where better points come late"
    return "at most"


def _budget(budget: Mapping[str, Any]) -> str:
    parts = [(budget["hours"], "h"), (budget["device_hours"], "device-hours")]
    limits = " and ".join(f"{limit:g} {unit}" for limit, unit in parts if limit is not None)
    return (
        f"; at most {limits}, {100 * budget['reserve_for_confirmation']:.0f} % of it for the confirmation"
        if limits
        else ""
    )


def range_text(words: Mapping[str, Any]) -> str:
    """A parameter's words for people.

    Example:
        >>> range_text({"low": 0.5, "high": 16.0, "log": True}), range_text({"choices": [1, 4]})
        ('0.5 to 16 (log)', 'in {1, 4}')
    """
    if "choices" in words:
        return "in {" + ", ".join(f"{x:g}" if isinstance(x, float) else str(x) for x in words["choices"]) + "}"
    step = f" in steps of {words['step']:g}" if "step" in words else ""
    return f"{words['low']:g} to {words['high']:g}{step}{' (log)' if words.get('log') else ''}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
