"""Validated configuration of a study, with every default filled in; immutable."""

from __future__ import annotations

from typing import Any

import numpy as np
from optuna.study import StudyDirection
from pydantic import model_validator

from search_spaces import space as spaces
from study.definition import cross_checks
from study.definition.study_fields import StudyFields
from trainables.files.durable import digest_of
from trainables.metrics.classification import METRICS
from trainables.metrics.metric_name import MetricName


class StudyConfig(StudyFields):
    """Configuration of a study: what is trained, which hyperparameters vary, how it is searched and confirmed."""

    @model_validator(mode="after")
    def _check_sections_together(self) -> StudyConfig:
        cross_checks.check(self)
        return self

    @property
    def directions(self) -> tuple[StudyDirection, ...]:
        """Optimisation direction of each objective."""
        goals = [METRICS[MetricName.parse(name).quantity].goal for name in self.search.objectives]
        return tuple(StudyDirection.MINIMIZE if goal == "minimize" else StudyDirection.MAXIMIZE for goal in goals)

    @property
    def minimizes(self) -> bool:
        """Whether lower values of the metric that ranks the trials are better."""
        return self.directions[0] == StudyDirection.MINIMIZE

    def planned_trials(self, trials: int) -> int:
        """Returns ``trials``, or the number of cells of a discrete space if that is lower."""
        count = spaces.cell_count(self.space())
        return trials if count is None else min(trials, count)

    def race_seed(self, number: int) -> int:
        """Returns the training seed of race round ``number``, above all seeds of search and confirmation."""
        entropy = [self.search.sampler.seed, number, *b"race"]
        return 2**33 + int(np.random.SeedSequence(entropy).generate_state(1)[0])

    def digest(self) -> str:
        """Returns a short digest of the study that does not depend on where its data lies and how it is read."""
        content = self.resolved()
        for key in ("root", "stream"):
            content["dataset"].pop(key, None)
        return digest_of(content)

    def resolved(self) -> dict[str, Any]:
        """Returns the content of the study file with every default written out."""
        content = self.model_dump(mode="json")
        content["search"]["space"] = {
            name: spaces.as_mapping(distribution) for name, distribution in self.space().items()
        }
        return content
