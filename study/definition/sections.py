"""Sections of a study file: search, confirmation and resources."""

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

SETTLING = 0.05  # fraction of the epochs that ranks need to settle after a learning-rate decay
SHORTEST = 0.25  # default lower bound of halving's shortest schedule, as a fraction of the epochs
COSTS = "cost|second|hour|time|flop|latency|^param"  # names that a user may give to the cost of a run
MEDIAN_INTERVAL = 0.1  # fraction of the epochs between two rungs of the median rule


def _valid_objective(objective: str) -> str:
    split, metric = MetricName.parse(objective)
    if split != "validation" or metric not in METRICS:
        if re.search(COSTS, objective):
            raise ValueError(
                f"{objective!r} is not an objective: temperatures, weights, learning rate and weight decay do not "
                "change the cost of a run, so trials would differ by noise alone; make a study of each model or "
                "method, and `cskd compare` shows error and device hours of all"
            )
        known = ", ".join(f"validation/{name}" for name in METRICS)
        raise ValueError(f"{objective!r} is not an objective; choose from: {known}")
    return objective


class Sampler(Options):
    """Sampler that suggests the points of the search trials.

    Attributes:
        name: Sampling algorithm. ``gp``: Gaussian process, best with few trials; ``tpe``: tree-structured Parzen
            estimator, fast with many trials and usable with a scheduler; ``nsgaii``: NSGA-II genetic algorithm;
            ``random``: independent random points; ``qmc``: Sobol sequence; ``grid``: every point of a discrete space.
            Any sampler enumerates a discrete space that has no more cells than ``search.trials``.
        seed: Random seed of the sampler; the training seeds of the search are derived from it, too.
    """

    name: Literal["gp", "tpe", "nsgaii", "random", "qmc", "grid"] = "gp"
    seed: int = Field(default=0, ge=0, lt=2**31)


class Scheduler(Options):
    """Scheduler that ends unpromising search trials early.

    Attributes:
        name: Scheduling algorithm. ``none``: every trial trains to its last epoch; ``asha``: asynchronous successive
            halving, stopping variant; ``median``: stops a trial that is worse than the median of the others;
            ``halving``: trains each point with the whole schedule compressed to fewer epochs, then trains the better
            points again, from scratch, with longer schedules. With ``halving``, ``search.trials`` counts points, and
            each promotion to a longer schedule is a further trial.
        grace: Fraction of the epochs before a trial may be stopped; None ends the grace shortly after the first decay
            of the learning rate, because earlier ranks are unreliable. With ``halving``: lower bound of the shortest
            schedule, as a fraction of the epochs; None means 0.25.
        reduction: Reduction factor of ``asha`` and ``halving``: one in ``reduction`` trials continues from each rung,
            and the next rung has ``reduction`` times the epochs.
        min_trials: Number of trials that must have reached a rung before any is stopped or promoted there.
        before_decay: Permission for a grace that ends before the first decay of the learning rate. ``halving`` does not
            need it, because each of its schedules contains the decays.
    """

    name: Literal["none", "asha", "median", "halving"] = "none"
    grace: float | None = Field(default=None, gt=0, lt=1)
    reduction: int = Field(default=2, ge=2)
    min_trials: int = Field(default=5, ge=1)
    before_decay: bool = False

    def rungs(self, training: Training) -> tuple[int, ...]:
        """Returns the epochs, counted from 1 and before the last, after which trials may be stopped.

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
        """Returns the schedule lengths of trials in epochs, ascending to the full length.

        Only ``halving`` has more than one.

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
    """Whether a schedule compressed to ``length`` epochs keeps the decays that the full schedule has."""
    shorter = training.model_copy(update={"epochs": length})
    return length == training.epochs or not training.milestones or shorter.epochs_before_decay() < length


class Budget(Options):
    """Time limits of a study; a study that reaches one ends with the results it has.

    Attributes:
        hours: Limit on the study's wall time in hours, counted while a driver runs; None sets no limit.
        device_hours: Limit on the training time of all runs together in device-hours, where a run on half a GPU counts
            half; None sets no limit.
        reserve_for_confirmation: Fraction of the budget that the search leaves for the confirmation.
    """

    hours: float | None = Field(default=None, gt=0)
    device_hours: float | None = Field(default=None, gt=0)
    reserve_for_confirmation: float = Field(default=0.3, ge=0, lt=1)


class Search(Options):
    """Settings of the hyperparameter search.

    Attributes:
        objectives: One or two metrics, measured on the validation split, such as ``validation/top1_error``. The first
            ranks the trials; with two, the study searches for their Pareto front. The cost of a run is not an
            objective, because no parameter of a default space changes it.
        space: Distribution of each searched parameter, as ``{low, high}`` with an optional ``log`` or ``step``, or as
            ``{choices}``; None uses the method's default space.
        first: Points to try before the sampler suggests any; ``cskd launch --warm-start DIR`` adds the best points of
            other studies.
        sampler: Sampler that suggests the points of the search trials.
        scheduler: Scheduler that ends unpromising search trials early.
        trials: Number of search trials; a discrete space has at most one per cell.
        budget: Time limits of the study; without any, ``trials`` alone ends the search.
        stop_rule: Rule that ends the search before ``trials``. ``none``: no such rule; ``expected_improvement``: the
            search ends when the expected gain of another trial is small compared with the noise of training, which is
            estimated from the study's own trials.
        vary_seed: Whether each trial has its own training seed, derived from the sampler's seed and the trial's number.
            If false, all search trials and controls share one training seed.
        reuse: Whether a search trial or control reuses the epochs of an identical finished run instead of training: a
            run of another study in the same storage folder with the same configuration, split, seed, data and code.
            Confirmation runs are always trained, because each of their readings of the test set is recorded.
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
            raise ValueError("objectives contain a duplicate metric")
        return self


class Race(Options):
    """Race of candidates for the places of the finalists, with new seeds on the search's own split.

    Each round trains every remaining candidate with one more seed. Candidates that are significantly worse than the
    leader drop out (t tests with the noise pooled over the remaining candidates, seeds as blocks), until only as many
    are left as there are finalists.

    Attributes:
        candidates: Number of the best trials that enter the race; more than ``finalists``.
        seeds: Largest number of rounds; each round has its own training seed.
        first_test: Number of rounds after which candidates may drop out.
        level: Significance level of a round's tests together (Holm's method). A higher level saves runs and raises the
            risk of dropping a good candidate; it affects no reported result, because the finalists are confirmed with
            other seeds.
    """

    candidates: int = Field(default=8, ge=2)
    seeds: int = Field(default=5, ge=2)
    first_test: int = Field(default=2, ge=2)
    level: float = Field(default=0.2, gt=0, lt=1)

    @model_validator(mode="after")
    def _tests(self) -> Race:
        if self.first_test > self.seeds:
            raise ValueError(f"first_test is {self.first_test}, but the race has only {self.seeds} seeds; raise seeds")
        return self


class Confirm(Options):
    """Settings of the confirmation, which trains finalists and controls with new seeds and reads the test set.

    Attributes:
        finalists: Number of the best search trials that are confirmed.
        race: Race that selects the finalists from more candidates, with new seeds on the search's own split; None
            confirms the best trials of the search directly.
        choose_by: Criterion that orders the search trials. ``posterior_mean``: mean of a Gaussian process fitted to all
            completed trials, used from 16 trials and with one objective; ``rank``: the measured value, which favours
            trials with a lucky seed.
        seeds: Training seeds of each arm, from 0 to 2147483647 and the same for every arm, so that differences are
            paired.
        train_on: Training data. ``full``: training and validation split together; ``train``: the training split alone.
        test_each_epoch: Whether to measure the test set after each epoch, which adds a reading to the ledger each time.
            It fills the optimistic best-on-test column of published tables and, with ``train_on: train``, the column
            ``at_best_validation``: the test value at the epoch with the best validation value.
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
            raise ValueError("seeds contain a duplicate value")
        return self

    @model_validator(mode="after")
    def _more_candidates_than_finalists(self) -> Confirm:
        if self.race is not None and self.race.candidates <= self.finalists:
            raise ValueError(
                f"race.candidates is {self.race.candidates}; it must exceed finalists, which is {self.finalists}"
            )
        return self


class Resources(Options):
    """Compute resources of a trial.

    Attributes:
        gpus_per_trial: Number of GPUs of a trial, a fraction up to 1 or a whole number; None takes one GPU if the
            cluster has any (with ``packing: measured``, the measured share), else 0.
        cpus_per_trial: Number of CPUs of a trial; None takes ``training.threads``, or with a GPU an equal share of the
            node's cores.
        packing: Method that decides how many trials share a GPU. ``none``: each trial has a GPU of its own;
            ``measured``: before the first trial, one, two, three … trials train at once for some seconds on a GPU of
            each kind; as many then share a GPU as had the highest total throughput, and each trial reserves its
            measured memory in Ray.
        max_concurrent: Largest number of trials that run at once; None runs as many as fit.
        retries: Number of times that a trial is retried after its worker was lost.
        epoch_hours: Time limit of an epoch in hours, evaluation included. A run that exceeds it counts as hung: its
            process and child processes are killed, and the run is retried. None sets no limit.
    """

    gpus_per_trial: float | None = Field(default=None, ge=0)
    cpus_per_trial: float | None = Field(default=None, gt=0)
    packing: Literal["none", "measured"] = "none"
    max_concurrent: int | None = Field(default=None, ge=1)
    retries: int = Field(default=3, ge=0)
    epoch_hours: float | None = Field(default=2.0, gt=0)
