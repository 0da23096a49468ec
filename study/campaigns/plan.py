"""Estimates the cost of a study at a measured rate, and the smallest difference it can detect."""

from __future__ import annotations

import math
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Any

from analysis.paper import printed
from analysis.words.units import size
from study.campaigns import preview
from study.cluster import gpu_packing
from study.cluster.measurement import kind
from trainables.metrics.metric_name import MetricName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from study.cluster.share import Share
    from study.definition.study_config import StudyConfig
    from trainables.config import TrainConfig
    from trainables.costs.probe import Rate
    from trainables.costs.side_by_side import Packing

LEVEL = 0.05
POWER = 0.8
MEMORY_SHARE = 0.9  # share of a device's memory that trials may use
MAX_TRIALS_FOR_GP = 100
MIN_TRIALS_PER_DIMENSION = 5


def plan(
    config: StudyConfig, rates: Mapping[str, Rate], share: Share, packings: Mapping[str, Packing] | None = None
) -> dict[str, Any]:
    """Returns ``preview.describe`` with cost, detectable difference and warnings, as JSON-compatible values.

    Args:
        config: The study.
        rates: Measured rates, by ``kind`` of run; empty if nothing was measured.
        share: Resources of a trial, and the number of concurrent trials.
        packings: Measured throughput of trials that share a device, by kind of device; None if not measured.
    """
    found = preview.describe(config)
    found["detectable"] = detectable(config)
    found["warnings"] = warnings(config)
    if rates:
        rate = rates[kind(config.search_config({}, 0))]
        alone = {phase: seconds / 3600 for phase, seconds in device_seconds(config, rates).items()}
        slowdown = 1 / relative_speed(packings or {})
        hours = {phase: each * slowdown * min(share.gpus or 1, 1) for phase, each in alone.items()}
        found["rate"] = {name: getattr(rate, name) for name in RATE_FIELDS} | {"epoch_seconds": rate.epoch_seconds}
        found["concurrent"] = share.concurrent
        found["trials_per_device"] = max(1, int(MEMORY_SHARE * rate.device_bytes / max(rate.peak_bytes, 1)))
        found["device_hours"] = hours | {"total": sum(hours.values())}
        found["packing"] = {name: asdict(each) for name, each in (packings or {}).items()}
        found["wall_hours"] = sum(alone.values()) * slowdown / share.concurrent
        found["warnings"] += budget_warnings(config, found)
    return found


def relative_speed(packings: Mapping[str, Packing]) -> float:
    """Returns the speed of a trial that shares its device, relative to one that has the device alone."""
    return min((each.speedup / each.best for each in packings.values()), default=1.0)


RATE_FIELDS = ("device", "step_seconds", "evaluation_seconds", "startup_seconds", "peak_bytes", "device_bytes")


def device_seconds(config: StudyConfig, rates: Mapping[str, Rate]) -> dict[str, float]:
    """Returns the total training time of each phase in seconds; a scheduler or a race can only shorten it."""
    found = preview.describe(config)
    search = config.search_config({}, 0)
    controls = [config.control_config(number) for number in range(len(config.controls))]
    confirmed = [*[search] * found["finalists"], *controls]
    full = config.confirm.train_on == "full"
    race = found["race"]
    raced = {"race": race["runs"] * run_seconds(search, rates[kind(search)])} if race else {}
    return {
        "search": found["search_epochs"] * rates[kind(search)].epoch_seconds,
        "controls": sum(run_seconds(run, rates[kind(run)]) for run in controls),
        **raced,
        "confirm": found["seeds"] * sum(run_seconds(run, rates[kind(run)], full=full) for run in confirmed),
    }


def run_seconds(config: TrainConfig, rate: Rate, *, full: bool = False) -> float:
    """Returns the seconds of a run; a ``full`` run also trains on the validation split and does not evaluate it."""
    if not full:
        return config.training.epochs * rate.epoch_seconds
    longer = (rate.anchors + rate.validation_images) / rate.anchors
    return config.training.epochs * rate.training_seconds * longer


def detectable(config: StudyConfig) -> dict[str, Any]:
    """Returns the smallest true difference between two arms that the confirmation detects with a power of 80 %.

    Both arms run the same seeds, and their differences enter a paired two-sided t test at 5 %. The standard deviation
    over seeds is the paper's, if it prints the same row, else the median of the paper's standard deviations of the
    metric. The arms are assumed to be independent, so a difference has sqrt(2) times this standard deviation; pairing
    can only reduce it. ``departure`` says how the study departs from the paper's protocol: with small data and short
    runs, seeds spread more.
    """
    metric = MetricName.parse(config.objective).quantity
    row = printed.published(config.dataset.part_name(), config.model.part_name(), label_of(config), metric)
    spread, source = (row.std, f"the paper's table {row.table}") if row and row.std else (typical_spread(metric), None)
    seeds, trained_on = len(config.confirm.seeds), config.confirm.train_on
    smallest = None if spread is None else smallest_difference(seeds, math.sqrt(2) * spread)
    return {
        "difference": smallest,
        "seeds": seeds,
        "seed_spread": spread,
        "source": source or "the median of the paper's spreads",
        "departure": printed.comparable(config.search_config({}, 0).model_dump(mode="json") | {"train_on": trained_on}),
    }


def label_of(config: StudyConfig) -> str:
    """Returns the method's label in the paper's tables."""
    return printed.method_label({"name": config.method.part_name(), **config.method.model_dump(mode="json")})


def typical_spread(metric: str) -> float | None:
    """Returns the median standard deviation over seeds that the paper prints for a metric; None if it prints none."""
    found = [value.std for row in printed.rows() if (value := printed.published(*row, metric)) and value.std]
    return median(found) if found else None


def smallest_difference(pairs: int, spread: float) -> float | None:
    """Returns the mean of paired differences that a two-sided t test at 5 % detects with a power of 80 %.

    Args:
        pairs: Number of pairs (seeds).
        spread: Standard deviation of a single difference.

    Returns:
        Difference in the unit of ``spread``; None for fewer than two pairs, for which there is no test.

    Example:
        >>> round(smallest_difference(3, 1.0), 2), round(smallest_difference(10, 1.0), 2)
        (3.26, 1.0)
    """
    from scipy.optimize import brentq
    from scipy.stats import chi, norm, t

    if pairs < 2:
        return None
    degrees = pairs - 1
    critical = float(t.ppf(1 - LEVEL / 2, degrees))

    def power_gap(effect: float) -> float:
        # Integrates the noncentral t distribution, because SciPy's is NaN in the far tail that two seeds need.
        shift = effect * math.sqrt(pairs)

        def tail_probability(root: float) -> float:
            limit = critical * root / math.sqrt(degrees)
            return float(norm.sf(limit - shift) + norm.cdf(-limit - shift))

        return float(chi(degrees).expect(tail_probability)) - POWER

    return spread * float(brentq(power_gap, 0.0, 100.0))


def warnings(config: StudyConfig) -> list[str]:
    """Returns warnings about the design of a study."""
    search, milestones = config.search, config.training.milestones
    trials, dimensions = config.planned_trials(search.trials), len(config.space())
    found = []
    if len(config.confirm.seeds) < 2:
        found.append("one confirmation seed cannot show a difference; give confirm.seeds at least two")
    rungs = search.scheduler.rungs(config.training)
    if rungs and milestones and rungs[0] <= config.training.epochs_before_decay():
        found.append(
            f"the scheduler stops trials after epoch {rungs[0]}, before the learning rate falls, at {milestones[0]:g} "
            "of the epochs, when ranks are still unreliable; remove search.scheduler.grace"
        )
    if search.sampler.name == "gp" and trials > MAX_TRIALS_FOR_GP:
        found.append(f"gp is slow beyond {MAX_TRIALS_FOR_GP} trials; use the sampler tpe")
    if 1 < trials < MIN_TRIALS_PER_DIMENSION * dimensions and trials == search.trials:
        fewest = MIN_TRIALS_PER_DIMENSION * dimensions
        found.append(f"{trials} trials are too few for {dimensions} parameters; set search.trials to {fewest} or more")
    if not config.controls:
        found.append("no control to compare the winner with; add controls: [{method: cross_entropy}]")
    return found


def budget_warnings(config: StudyConfig, found: Mapping[str, Any]) -> list[str]:
    """Returns a warning for each budget that is too small for all runs of ``plan``."""
    budget = config.search.budget
    costs = {
        "hours": (budget.hours, found["wall_hours"]),
        "device_hours": (budget.device_hours, found["device_hours"]["total"]),
    }
    return [
        f"search.budget.{name} is {limit:g}, but the study needs about {needed:.2g}; the search will end before "
        f"{found['trials']} trials"
        for name, (limit, needed) in costs.items()
        if limit is not None and needed > limit
    ]


def entries(found: Mapping[str, Any]) -> dict[str, str]:
    """Returns the result of ``plan`` as text, by heading."""
    texts = preview.entries(found)
    if "rate" in found:
        rate, hours, fitting = found["rate"], found["device_hours"], found["trials_per_device"]
        texts["rate"] = (
            f"{rate['device']}: {_time(rate['step_seconds'])} per step, {_time(rate['epoch_seconds'])} per epoch "
            f"including {_time(rate['evaluation_seconds'])} of evaluation; {size(rate['peak_bytes'])} per trial, so "
            f"{fitting if fitting < found['runs'] else 'all'} fit in memory at once"
        )
        if found["packing"]:
            texts["packing"] = "; ".join(
                gpu_packing.packing_text(*each) for each in gpu_packing.from_plain_data(found["packing"]).items()
            )
        texts["cost"] = (
            ", ".join(f"{phase} {_time(3600 * hours[phase])}" for phase in hours if phase != "total")
            + f": {_time(3600 * hours['total'])} on one device; about {_time(3600 * found['wall_hours'])} with "
            f"{found['concurrent']} at once"
        )
    texts["detects"] = _detectable_text(found["detectable"], found["objective"])
    return texts


def _detectable_text(found: Mapping[str, Any], objective: str) -> str:
    if found["difference"] is None:
        return "no difference: a test needs two seeds and a metric with a known spread over seeds"
    unit, factor = ("nats", 1) if objective.endswith("/nll") else ("points", 100)
    doubt = "; yours may spread more, because the study departs from the paper's protocol" if found["departure"] else ""
    return (
        f"a difference of {factor * found['difference']:.2f} {unit} with a power of {100 * POWER:.0f} % "
        f"({found['seeds']} seeds, paired t test at 5 %; standard deviation over seeds "
        f"{factor * found['seed_spread']:.2f} {unit}, {found['source']}{doubt})"
    )


def _time(seconds: float) -> str:
    """Returns a human-readable duration.

    Example:
        >>> _time(0.004), _time(12.3), _time(600), _time(360_000)
        ('4 ms', '12 s', '10 min', '100 h')
    """
    for limit, unit, name in ((1, 1e-3, "ms"), (100, 1, "s"), (6000, 60, "min")):
        if seconds < limit:
            return f"{seconds / unit:.2g} {name}" if seconds / unit < 10 else f"{seconds / unit:.0f} {name}"
    return f"{seconds / 3600:.2g} h" if seconds < 36_000 else f"{seconds / 3600:,.0f} h"
