"""Computes the importance of each searched parameter from the result files, with Optuna's PED-ANOVA and fANOVA."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from analysis.records import frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

    from analysis.records.result_files import Results

PED_ANOVA, FANOVA = "PED-ANOVA", "fANOVA"
FEWEST_TRIALS = 8
TREES, DEPTH = 32, 6  # ten times as many trees take a minute for 1,000 trials and change the second digit


def importances(results: Results) -> pd.DataFrame:
    """Returns columns ``parameter, evaluator, importance``; the shares of each evaluator add up to 1.

    PED-ANOVA (Watanabe et al. 2023) measures what distinguishes the best tenth of the trials; fANOVA (Hutter et al.
    2014) how much of the variance over the whole space a parameter alone explains. Empty with fewer than two parameters
    or eight completed trials, or if all have the same value.
    """
    import pandas as pd

    names = list(results.study["distributions"])
    points = frames.search_points(results, names)
    done = points[points["state"] == "COMPLETE"].dropna(subset=["value"])
    if len(names) < 2 or len(done) < FEWEST_TRIALS or done["value"].nunique() < 2:
        return pd.DataFrame(columns=["parameter", "evaluator", "importance"])
    found = _evaluated(_study(results, done))
    rows = [(name, evaluator, shares[name]) for evaluator, shares in found.items() for name in names if name in shares]
    return pd.DataFrame(rows, columns=["parameter", "evaluator", "importance"])


def ped_anova(study: Study) -> dict[str, float]:
    """Returns the PED-ANOVA share of each parameter in a study with a single objective; takes milliseconds."""
    from optuna.importance import PedAnovaImportanceEvaluator

    return _shares(study, PedAnovaImportanceEvaluator())


def _evaluated(study: Study) -> dict[str, dict[str, float]]:
    from optuna.importance import FanovaImportanceEvaluator

    fanova = FanovaImportanceEvaluator(n_trees=TREES, max_depth=DEPTH, seed=0)
    return {PED_ANOVA: ped_anova(study), FANOVA: _shares(study, fanova)}


def _shares(study: Study, evaluator: Any) -> dict[str, float]:
    from optuna.importance import get_param_importances

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental evaluators warn
        return {name: float(share) for name, share in get_param_importances(study, evaluator=evaluator).items()}


def _study(results: Results, done: pd.DataFrame) -> Study:
    """Returns the completed trials as an in-memory Optuna study."""
    import optuna

    distributions = {name: _distribution(values) for name, values in results.study["distributions"].items()}
    minimizes = frames.goal(frames.objective(results)) == "minimize"
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # create_study would log a line
    study = optuna.create_study(direction="minimize" if minimizes else "maximize")
    optuna.logging.set_verbosity(verbosity)
    study.add_trials(
        optuna.trial.create_trial(
            params={name: row[name] for name in distributions}, distributions=distributions, value=float(row["value"])
        )
        for row in done.to_dict("records")
        if all(_is_given(row[name]) for name in distributions)
    )
    return study


def _is_given(value: Any) -> bool:
    return value is not None and value == value  # noqa: PLR0124


def _distribution(values: Mapping[str, Any]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    return CategoricalDistribution(values["choices"]) if "choices" in values else FloatDistribution(**values)
