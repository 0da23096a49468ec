"""Checks of a study file that involve more than one section."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution
from pydantic import ValidationError

from search_spaces import space as spaces
from trainables.interfaces import Method
from trainables.interfaces.error_messages import one_line_per_mistake

if TYPE_CHECKING:
    from study.definition.study_fields import StudyFields

SEARCHED_TRAINING = ("lr", "weight_decay")


def check(study: StudyFields) -> None:
    """Checks space, first points, scheduler, stop rule, race, grid, controls and teachers.

    Raises:
        ValueError: First mistake found; the message begins with the key's path.
    """
    search = study.search
    for name, distribution in study.space().items():
        _check_parameter(study, name, distribution)
    for number, point in enumerate(search.first):
        _check_first(study, f"search.first.{number}", point)
    _check_scheduler(study)
    if search.stop_rule != "none" and len(search.objectives) > 1:
        raise ValueError("search.stop_rule: needs a single objective; set it to none")
    if study.confirm.race is not None and len(search.objectives) > 1:
        raise ValueError("confirm.race: needs a single objective; leave the race out")
    if search.sampler.name == "grid":
        _check_grid(study)
    for number in range(len(study.controls)):
        _check_control(study, number)
    _check_teacher(study.method, "method")


def _check_parameter(study: StudyFields, name: str, distribution: BaseDistribution) -> None:
    section, _, option = name.rpartition(".")
    known = type(study.method).model_fields
    if (section != "training" or option not in SEARCHED_TRAINING) and name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? It" if near else "it"
        raise ValueError(
            f"search.space: {study.method.part_name()} has no parameter {name!r}; {hint} has "
            f"{', '.join(known) or 'none'}; training.lr and training.weight_decay may vary too"
        )
    for value in spaces.ends(distribution):
        try:
            study.search_config({name: value}, 0)
        except ValidationError as error:
            raise ValueError(f"search.space: {'; '.join(one_line_per_mistake(error))}") from error


def _check_scheduler(study: StudyFields) -> None:
    if study.search.scheduler.name == "none":
        return
    if len(study.search.objectives) > 1:
        raise ValueError("search.scheduler: needs a single objective; set the scheduler to none")
    if study.search.sampler.name == "gp":
        raise ValueError(
            "search.scheduler: gp does not learn from stopped trials; use the sampler tpe, or the scheduler none"
        )
    if study.objective == "validation/recall_at_1" and study.search.scheduler.rungs(study.training):
        raise ValueError("search.scheduler: recall_at_1 is measured at the last epoch only; use the scheduler none")
    _check_grace(study)


def _check_grace(study: StudyFields) -> None:
    scheduler, training = study.search.scheduler, study.training
    rungs = scheduler.rungs(training)
    early = bool(rungs) and bool(training.milestones) and rungs[0] <= training.epochs_before_decay()
    if early and not scheduler.before_decay:
        raise ValueError(
            f"search.scheduler.grace: {scheduler.grace:g} ends before the learning rate first falls, at "
            f"{training.milestones[0]:g} of the epochs, when ranks are still unreliable; leave it out or set "
            "before_decay: true"
        )


def _check_first(study: StudyFields, key: str, point: Mapping[str, Any]) -> None:
    space = study.space()
    if set(point) != set(space):
        raise ValueError(f"{key}: a point has the parameters {', '.join(space)}, not {', '.join(point) or 'none'}")
    for name, distribution in space.items():
        if not spaces.contains(distribution, point[name]):
            raise ValueError(f"{key}.{name}: {point[name]!r} is not in {spaces.as_mapping(distribution)}")


def _check_grid(study: StudyFields) -> None:
    cells = spaces.cell_count(study.space())
    if cells is None:
        raise ValueError("search.space: a grid needs choices or a step for each parameter")
    if cells > spaces.LARGEST_GRID:
        raise ValueError(f"search.space: a grid of {cells:,} points is too large (at most {spaces.LARGEST_GRID:,})")


def _check_control(study: StudyFields, number: int) -> None:
    try:
        _check_teacher(study.control_config(number).method, f"controls.{number}")
    except ValidationError as error:
        raise ValueError(f"controls.{number}: {'; '.join(one_line_per_mistake(error))}") from error


def _check_teacher(method: Method, key: str) -> None:
    teacher = method.pretrained()
    if teacher is not None and teacher.checkpoint is None and teacher.study is None:
        raise ValueError(
            f"{key}.teacher: {method.part_name()} learns from a trained network; give checkpoint: FILE, or study: DIR "
            "and seed: N"
        )
