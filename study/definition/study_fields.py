"""Fields of a study file, and the search space and the runs that they define."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from optuna.distributions import BaseDistribution
from pydantic import AfterValidator, model_validator

from search_spaces import space as spaces
from study.definition.sections import Confirm, Resources, Search
from study.definition.service_sections import Artifacts, Database, Tracking
from trainables.config import AnyDataset, AnyMethod, AnyModel, TrainConfig, Training
from trainables.interfaces import Options


def _valid_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name) or name.endswith("."):
        raise ValueError(
            "a name has 1 to 100 letters, digits, '.', '_' or '-', begins with a letter or digit and does "
            "not end with '.'"
        )
    return name


class StudyFields(Options):
    """Fields of a study file, each checked by itself.

    Attributes:
        name: Name of the study and of its directory: 1 to 100 letters, digits, ``.``, ``_`` or ``-``.
        dataset: Data set and its options; a name alone takes the default options.
        model: Network and its options; a name alone takes the default options.
        method: Training method and the options that stay fixed; a name alone takes the default options.
        training: Optimisation settings, shared by all trials except where the space varies them.
        search: Settings of the hyperparameter search.
        controls: Fixed configurations that are trained beside the search and confirmed with the finalists, such as
            ``{method: cross_entropy}`` or ``{temperature: 4, lambda_cls: 1}``.
        confirm: Settings of the confirmation, which trains the finalists and the controls with new seeds and is the
            only phase that reads the test set.
        resources: Compute resources of a trial; ``auto`` takes every default.
        tracking: MLflow tracking of the runs.
        database: Database server that holds the trials; None uses an SQLite file in the study directory.
        artifacts: Object store for the files that workers write; None uses the study directory, which all nodes must
            then share.
    """

    name: Annotated[str, AfterValidator(_valid_name)]
    dataset: AnyDataset
    model: AnyModel
    method: AnyMethod
    training: Training = Training()
    search: Search = Search()
    controls: tuple[dict[str, Any], ...] = ()
    confirm: Confirm = Confirm()
    resources: Resources = Resources()
    tracking: Tracking = Tracking()
    database: Database | None = None
    artifacts: Artifacts | None = None

    @model_validator(mode="before")
    @classmethod
    def _expand_short_forms(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("resources") == "auto":
            value = {key: item for key, item in value.items() if key != "resources"}
        if isinstance(value, dict) and isinstance(value.get("artifacts"), str):
            value = value | {"artifacts": {"uri": value["artifacts"]}}
        return value

    def space(self) -> spaces.Space:
        """Returns the search space: parameter name to distribution.

        Raises:
            ValueError: The method has no default space, or the space is invalid.
        """
        if self.search.space is None:
            default = spaces.default_space(self.method.part_name())
            if default is None:
                raise ValueError(f"search.space: {self.method.part_name()} has no default space; name what is searched")
            return default
        if not self.search.space:
            raise ValueError("search.space: is empty; leave it out for the method's default")
        return {name: _distribution(name, keys) for name, keys in self.search.space.items()}

    @property
    def objective(self) -> str:
        """Metric that ranks the trials, ``validation/<metric>``."""
        return self.search.objectives[0]

    def search_config(self, parameters: Mapping[str, Any], number: int, epochs: int | None = None) -> TrainConfig:
        """Returns the run configuration of search trial ``number``.

        Args:
            parameters: Sampled values; a parameter that is missing takes the study's fixed value.
            number: Trial number, which determines the training seed.
            epochs: Length of the compressed schedule; None uses ``training.epochs``.
        """
        method = {name: value for name, value in parameters.items() if not name.startswith("training.")}
        training = {
            name.removeprefix("training."): value for name, value in parameters.items() if name.startswith("training.")
        }
        if epochs is not None:
            training["epochs"] = epochs
        return self._train_config(self._method_with(method), training, self._search_seed("search", number))

    def control_config(self, number: int) -> TrainConfig:
        """Returns the run configuration of control ``number``.

        Raises:
            ValueError: The control's method or one of its options is unknown.
        """
        options = dict(self.controls[number])
        name = options.pop("method", None)
        training = options.pop("training", {})
        if not isinstance(training, dict):
            raise ValueError(f"controls.{number}.training: is a mapping of options, not {training!r}")
        method = self._method_with(options) if name is None else _named(name, options)
        return self._train_config(method, training, self._search_seed("controls", number))

    def _train_config(self, method: Any, training: Mapping[str, Any], seed: int) -> TrainConfig:
        merged = self.training.model_dump() | dict(training)
        return TrainConfig(dataset=self.dataset, model=self.model, method=method, training=merged, seed=seed)

    def _method_with(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return self.method.model_dump(mode="json") | dict(options)

    def _search_seed(self, phase: str, number: int) -> int:
        # At least 2**31: confirmation seeds lie below, so search and confirmation never share a seed.
        if not self.search.vary_seed:
            return 2**31 + self.search.sampler.seed
        entropy = [self.search.sampler.seed, number, *phase.encode()]
        return 2**31 + int(np.random.SeedSequence(entropy).generate_state(1)[0])


def _named(name: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    return (dict(name) if isinstance(name, dict) else {"name": name}) | dict(options)


def _distribution(name: str, keys: Mapping[str, Any]) -> BaseDistribution:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]{0,99}", name):
        raise ValueError(f"search.space: {name!r} is not the name of a parameter")
    try:
        return spaces.distribution(keys)
    except ValueError as error:
        raise ValueError(f"search.space.{name}: {error}") from error
