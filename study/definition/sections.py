"""The sections of a study file: how the space is searched, what is confirmed, what a trial may use."""

from __future__ import annotations

import math
import re
from itertools import count, takewhile
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from trainables.interfaces import Options
from trainables.metrics.classification import METRICS
from trainables.metrics.metric_name import MetricName

if TYPE_CHECKING:
    from trainables.config import Training

SETTLING = 0.05  # share of the epochs in which ranks settle after the learning rate has fallen
SHORTEST = 0.25  # share of the epochs that halving's shortest schedule has at least
COSTS = "cost|second|hour|time|flop|latency|^param"  # words for what a run takes
MEDIAN_INTERVAL = 0.1  # share of the epochs between two looks of the median rule


def _valid_objective(objective: str) -> str:
    split, metric = MetricName.parse(objective)
    if split != "validation" or metric not in METRICS:
        if re.search(COSTS, objective):
            raise ValueError(
                f"{objective!r} is not an objective: temperatures, weights, learning rate and weight decay leave the "
                "cost of a run as it is, so trials would differ by noise alone; make a study of each model or method, "
                "and `cskd compare` shows error and device hours of all"
            )
        known = ", ".join(f"validation/{name}" for name in METRICS)
        raise ValueError(f"{objective!r} is not an objective; there are: {known}")
    return objective


class Sampler(Options):
    """Who suggests the next trial.

    Attributes:
        name: ``gp``, a Gaussian process, learns most from few trials; ``tpe`` is quick with many and goes with a
            scheduler; ``nsgaii`` breeds good trials; ``random``; ``qmc`` fills the space evenly (Sobol); ``grid`` takes
            every point of a discrete space. A space with no more cells than trials is enumerated by all of them.
        seed: Decides the suggestions and, with ``vary_seed``, the training seeds of the search.
    """

    name: Literal["gp", "tpe", "nsgaii", "random", "qmc", "grid"] = "gp"
    seed: int = Field(default=0, ge=0, lt=2**31)


class Scheduler(Options):
    """Who stops trials early.

    Attributes:
        name: ``none``; ``asha``, asynchronous successive halving in its stopping form; ``median``, which stops what is
            worse than half of the others; or ``halving``, which tries each point with the whole schedule compressed to
            fewer epochs, and trains the better ones anew with a longer one: ``search.trials`` then counts points, and
            those that go on are further trials.
        grace: Fraction of the epochs before a trial may be stopped. None: until just after the learning rate's first
            decay, for earlier ranks mislead. Of ``halving``: that its shortest schedule has at least; None: a quarter.
        reduction: Of ``asha`` and ``halving``: at each rung one in ``reduction`` goes on; the next rung is
            ``reduction`` times later.
        min_trials: Trials that have been at a rung before any is stopped there, or goes on from it.
        before_decay: Allows a grace that ends before the learning rate's first decay; ``halving`` has the decays in
            each of its schedules.
    """

    name: Literal["none", "asha", "median", "halving"] = "none"
    grace: float | None = Field(default=None, gt=0, lt=1)
    reduction: int = Field(default=2, ge=2)
    min_trials: int = Field(default=5, ge=1)
    before_decay: bool = False

    def rungs(self, training: Training) -> tuple[int, ...]:
        """Epochs, counted from 1 and before the last, after which trials are judged.

        Example:
            >>> from trainables.config import Training
            >>> Scheduler(name="asha").rungs(Training(epochs=200))
            (110,)
            >>> Scheduler(name="asha", grace=0.1, before_decay=True).rungs(Training(epochs=200))
            (20, 40, 80, 160)
            >>> Scheduler(name="median").rungs(Training(epochs=200))
            (110, 130, 150, 170, 190)
        """
        epochs = training.epochs
        first = self._first_rung(training)
        if self.name in ("none", "halving"):
            return ()
        if self.name == "median":
            return tuple(range(first, epochs, max(1, round(MEDIAN_INTERVAL * epochs))))
        return tuple(takewhile(lambda rung: rung < epochs, (first * self.reduction**power for power in count())))

    def lengths(self, training: Training) -> tuple[int, ...]:
        """Epochs of the schedules that trials run, rising to the whole one; only ``halving`` has shorter ones.

        Example:
            >>> from trainables.config import Training
            >>> Scheduler(name="halving").lengths(Training(epochs=200))
            (50, 100, 200)
            >>> Scheduler(name="halving", reduction=3).lengths(Training(epochs=200))
            (67, 200)
        """
        if self.name != "halving":
            return (training.epochs,)
        least = self.grace or SHORTEST
        shares = takewhile(lambda share: share >= least, (self.reduction**-power for power in count()))
        lengths = {math.ceil(round(share * training.epochs, 6)) for share in shares}
        return tuple(sorted(length for length in lengths if _decays(training, length)))

    def _first_rung(self, training: Training) -> int:
        epochs = training.epochs
        if self.grace is not None:
            return max(1, math.ceil(round(self.grace * epochs, 6)))
        settled = math.ceil(round(SETTLING * epochs, 6))
        return (training.epochs_before_decay() if training.milestones else epochs // 2) + settled


def _decays(training: Training, length: int) -> bool:
    """Whether the learning rate still falls in a schedule that is compressed to so many epochs, or is not to fall."""
    shorter = training.model_copy(update={"epochs": length})
    return length == training.epochs or not training.milestones or shorter.epochs_before_decay() < length


class Budget(Options):
    """What a study may cost. It ends in time, with what it has.

    Attributes:
        hours: Wall time of its drivers; the time between a kill and the resume does not count.
        device_hours: Training time of all runs together; a run on half a GPU counts by half.
        reserve_for_confirmation: Share that the search leaves over.
    """

    hours: float | None = Field(default=None, gt=0)
    device_hours: float | None = Field(default=None, gt=0)
    reserve_for_confirmation: float = Field(default=0.3, ge=0, lt=1)


class Search(Options):
    """How the space is searched.

    Attributes:
        objectives: The metrics that decide, measured on the validation split. The first ranks the trials; with a second
            the study looks for the front that no trial beats in both. What a run costs is none, for nothing that a
            default space varies changes it.
        space: Parameter to its words (``low high log step`` or ``choices``); None takes the method's default.
        trials: How many; on a discrete space at most the number of its cells.
        first: Points that are tried before the sampler is asked; ``cskd launch --warm-start DIR`` enters the best of
            other studies.
        budget: What the study may cost; with none the number of trials decides.
        stop_rule: ``expected_improvement`` ends the search when what another trial would gain is small beside the noise
            of training, as its own trials show it.
        vary_seed: Each trial has its own training seed, from (sampler seed, number).
        reuse: A search trial or control of which another study below the storage folder has a finished run, of the same
            configuration, split, seed, data and code, takes its epochs over and is not trained: the same run once
            more would only tell the same. Confirmations are always trained, for their readings of the test set count.
    """

    objectives: tuple[Annotated[str, AfterValidator(_valid_objective)], ...] = Field(
        default=("validation/top1_error",), min_length=1, max_length=2
    )
    space: dict[str, dict[str, Any]] | None = None
    first: tuple[dict[str, Any], ...] = ()
    sampler: Sampler = Sampler()
    scheduler: Scheduler = Scheduler()
    trials: int = Field(default=40, ge=1)
    budget: Budget = Budget()
    stop_rule: Literal["none", "expected_improvement"] = "none"
    vary_seed: bool = True
    reuse: bool = True

    @model_validator(mode="after")
    def _objectives_differ(self) -> Search:
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError("objectives hold a metric twice")
        return self


class Race(Options):
    """How candidates race for the places of the finalists, with fresh seeds on the search's own split.

    All candidates run with a seed more each round; those that can be told from the leader (t tests that pool the noise
    of all that are in, seeds as blocks) drop out, until as many as there will be finalists are left.

    Attributes:
        candidates: How many of the best trials; more than finalists.
        seeds: The most rounds; the seeds are the race's own.
        first_test: Rounds before anyone drops out.
        level: Of the test, over all its comparisons of a round (Holm). The race claims nothing, for the finalists are
            confirmed anew: the level trades runs against the risk to lose a good candidate.
    """

    candidates: int = Field(default=8, ge=2)
    seeds: int = Field(default=5, ge=2)
    first_test: int = Field(default=2, ge=2)
    level: float = Field(default=0.2, gt=0, lt=1)

    @model_validator(mode="after")
    def _tests(self) -> Race:
        if self.first_test > self.seeds:
            raise ValueError(
                f"with {self.seeds} seeds there is no first_test after {self.first_test}; give it more seeds"
            )
        return self


class Confirm(Options):
    """How finalists and controls are confirmed: fresh seeds, full training set, the test set once.

    Attributes:
        finalists: How many of the best trials.
        race: Lets more candidates run with fresh seeds first, on the search's own split, and takes those that stay
            ahead. None confirms the best of the search at once.
        choose_by: ``posterior_mean`` asks what a Gaussian process over all trials believes of each, once there are 16;
            ``rank`` takes the best values as they are, of which the best is mostly lucky.
        seeds: Training seeds, the same for every arm, so that differences are paired.
        train_on: ``full`` adds the validation split to the training data; ``train`` leaves it out.
        test_each_epoch: Also measure the test set after each epoch, each time a line of the ledger: fills the
            optimistic best-on-test column of published tables and, with ``train_on: train``, the column
            ``at_best_validation``, the test value of the epoch that validation chose.
    """

    finalists: int = Field(default=3, ge=1)
    race: Race | None = None
    choose_by: Literal["posterior_mean", "rank"] = "posterior_mean"
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = Field(default=(1, 2, 3), min_length=1)
    train_on: Literal["train", "full"] = "full"
    test_each_epoch: bool = False

    @model_validator(mode="after")
    def _seeds_differ(self) -> Confirm:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds hold a value twice")
        return self

    @model_validator(mode="after")
    def _more_candidates_than_finalists(self) -> Confirm:
        if self.race is not None and self.race.candidates <= self.finalists:
            raise ValueError(
                f"race.candidates is {self.race.candidates}: let more race than the {self.finalists} finalists"
            )
        return self


class Resources(Options):
    """What a trial may use; None means: as fits the machine.

    Attributes:
        gpus_per_trial: May be a fraction. Default: one GPU where there are any.
        cpus_per_trial: Default: the threads of a trial; with a GPU an equal share of the cores.
        packing: ``measured`` trains one, two, three … trials at once for some seconds on a GPU of each kind before the
            first trial, and lets as many share a GPU as do the most work together; each then asks Ray for the memory
            that it takes. ``none`` gives each trial a GPU.
        max_concurrent: Trials at once. Default: as many as fit.
        retries: How often a trial is tried again after its worker was lost.
        epoch_hours: The longest that an epoch may take, evaluation included. A run that takes longer hangs: its process
            and its children are ended, and it is tried again. None waits for ever.
    """

    gpus_per_trial: float | None = Field(default=None, ge=0)
    cpus_per_trial: float | None = Field(default=None, gt=0)
    packing: Literal["none", "measured"] = "none"
    max_concurrent: int | None = Field(default=None, ge=1)
    retries: int = Field(default=3, ge=0)
    epoch_hours: float | None = Field(default=2.0, gt=0)
