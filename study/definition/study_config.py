"""What a study is: a study file, checked, with every default resolved; frozen."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from pydantic import AfterValidator, ValidationError, model_validator

from search_spaces import space as spaces
from study.definition import checks, paper_studies, teachers, yaml_reader
from study.definition.sections import Confirm, Resources, Search
from study.definition.service_sections import Artifacts, Database, Tracking
from study.errors import StudyFileError
from trainables.config import AnyDataset, AnyMethod, AnyModel, TrainConfig, Training
from trainables.files.durable import digest_of
from trainables.interfaces import Options
from trainables.interfaces.error_messages import one_line_per_mistake
from trainables.metrics.classification import METRICS
from trainables.metrics.metric_name import MetricName


def _valid_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name) or name.endswith("."):
        raise ValueError(
            "a name has 1 to 100 letters, digits, '.', '_' or '-', begins with a letter or digit, ends without '.'"
        )
    return name


class StudyConfig(Options):
    """A study: what is trained, what varies, how it is searched and confirmed.

    Attributes:
        name: Name of the study and of its directory.
        dataset: The data; a name alone takes the defaults.
        model: The network; a name alone takes the defaults.
        method: The training objective with the options that stay fixed; a name alone takes the defaults.
        training: Optimisation, the same for all trials but for what the space varies.
        search: How the space is searched.
        controls: Configurations that run beside the search and are confirmed with the finalists, such as
            ``{method: cross_entropy}`` or ``{temperature: 4, lambda_cls: 1}``.
        confirm: Fresh seeds for the finalists and the controls; the test set is read here only.
        resources: What a trial may use; ``auto`` fits the machine.
        tracking: Where MLflow shows the runs.
        database: Server that holds the trials; None keeps them in a file of the study directory.
        artifacts: Object store for what workers write; None takes the study directory, which all nodes then share.
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
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("resources") == "auto":
            value = {key: item for key, item in value.items() if key != "resources"}
        if isinstance(value, dict) and isinstance(value.get("artifacts"), str):
            value = value | {"artifacts": {"uri": value["artifacts"]}}
        return value

    @model_validator(mode="after")
    def _parts_fit(self) -> StudyConfig:
        checks.find(self)
        return self

    def space(self) -> spaces.Space:
        """The distributions that are searched.

        Raises:
            ValueError: The method has no default space, or words contradict each other.
        """
        if self.search.space is None:
            default = spaces.default_space(self.method.part_name())
            if default is None:
                raise ValueError(f"search.space: {self.method.part_name()} has no default space; name what is searched")
            return default
        if not self.search.space:
            raise ValueError("search.space: is empty; leave it out for the method's default")
        return {name: _distribution(name, words) for name, words in self.search.space.items()}

    @property
    def objective(self) -> str:
        """The metric that ranks trials, ``validation/<metric>``."""
        return self.search.objectives[0]

    @property
    def directions(self) -> tuple[StudyDirection, ...]:
        """Which way each objective is better."""
        goals = [METRICS[MetricName.parse(name).quantity].goal for name in self.search.objectives]
        return tuple(StudyDirection.MINIMIZE if goal == "minimize" else StudyDirection.MAXIMIZE for goal in goals)

    @property
    def minimizes(self) -> bool:
        """Whether smaller is better of the metric that ranks trials."""
        return self.directions[0] == StudyDirection.MINIMIZE

    def planned_trials(self, trials: int) -> int:
        """Trials that can be run: at most one per cell of a discrete space."""
        count = spaces.cell_count(self.space())
        return trials if count is None else min(trials, count)

    def search_config(self, parameters: Mapping[str, Any], number: int, epochs: int | None = None) -> TrainConfig:
        """The run of search trial ``number`` with sampled ``parameters``.

        Args:
            parameters: Values of the space; those that are left out have the study's own.
            number: Decides the seed.
            epochs: To which the schedule is compressed; None for the whole.
        """
        method = {name: value for name, value in parameters.items() if not name.startswith("training.")}
        training = {
            name.removeprefix("training."): value for name, value in parameters.items() if name.startswith("training.")
        }
        if epochs is not None:
            training["epochs"] = epochs
        return self._train_config(self._method_with(method), training, self._search_seed("search", number))

    def control_config(self, number: int) -> TrainConfig:
        """The run of control ``number``.

        Raises:
            ValueError: Its method or an option is unknown.
        """
        options = dict(self.controls[number])
        name = options.pop("method", None)
        training = options.pop("training", {})
        if not isinstance(training, dict):
            raise ValueError(f"controls.{number}.training: is a mapping of options, not {training!r}")
        method = self._method_with(options) if name is None else _named(name, options)
        return self._train_config(method, training, self._search_seed("controls", number))

    def race_seed(self, number: int) -> int:
        """The training seed of round ``number`` of the race, above all seeds of search and confirmation."""
        entropy = [self.search.sampler.seed, number, *b"race"]
        return 2**33 + int(np.random.SeedSequence(entropy).generate_state(1)[0])

    def digest(self) -> str:
        """Short digest of the whole study, but for where its data lies and how it is read."""
        content = self.resolved()
        for key in ("root", "stream"):
            content["dataset"].pop(key, None)
        return digest_of(content)

    def resolved(self) -> dict[str, Any]:
        """The study file with every default written out."""
        content = self.model_dump(mode="json")
        content["search"]["space"] = {name: spaces.words(of) for name, of in self.space().items()}
        return content

    def _train_config(self, method: Any, training: Mapping[str, Any], seed: int) -> TrainConfig:
        merged = self.training.model_dump() | dict(training)
        return TrainConfig(dataset=self.dataset, model=self.model, method=method, training=merged, seed=seed)

    def _method_with(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return self.method.model_dump(mode="json") | dict(options)

    def _search_seed(self, phase: str, number: int) -> int:
        # Above 2**31, so that no search trial ever shares a seed with a confirmation, whose seeds lie below.
        if not self.search.vary_seed:
            return 2**31 + self.search.sampler.seed
        entropy = [self.search.sampler.seed, number, *phase.encode()]
        return 2**31 + int(np.random.SeedSequence(entropy).generate_state(1)[0])


def _named(name: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    return (dict(name) if isinstance(name, dict) else {"name": name}) | dict(options)


def _distribution(name: str, words: Mapping[str, Any]) -> BaseDistribution:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]{0,99}", name):
        raise ValueError(f"search.space: {name!r} is no parameter's name")
    try:
        return spaces.distribution(words)
    except ValueError as error:
        raise ValueError(f"search.space.{name}: {error}") from error


def presets() -> tuple[str, ...]:
    """Names of the studies that come with the package: files, then the rows of the paper's tables."""
    return (*_preset_files(), *paper_studies.names())


def load(source: str | Path, overrides: Mapping[str, Any] | None = None) -> StudyConfig:
    """Reads a study file or a preset, and finds the trained teachers that it names.

    Args:
        source: A file's path, or a preset's name.
        overrides: ``key.path`` to value, applied to the file before it is checked.

    Raises:
        StudyFileError: There is no such file, or it has mistakes: one line each, with the key's path.
        CskdError: A teacher that it names is not there.
    """
    content = _content(str(source))
    for key, value in (overrides or {}).items():
        yaml_reader.override(content, key, value)
    return build(teachers.resolve(content), str(source))


def preset(name: str) -> StudyConfig:
    """A preset as it stands; a teacher that it names need not be there yet."""
    return build(_content(name), name)


def _preset_files() -> dict[str, Path]:
    folder = Path(str(resources.files("study.definition.presets")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _content(source: str) -> dict[str, Any]:
    if source in paper_studies.names():
        return paper_studies.content(source)
    path = _preset_files().get(source, Path(source))
    # Other than exists(), access() also says no to a name that is too long; to one with a NUL it says nothing.
    if "\0" in source or not os.access(path, os.F_OK):
        near = difflib.get_close_matches(source, presets(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`cskd presets` lists presets, `cskd init` writes a file"
        raise StudyFileError(f"{source}: neither a file nor a preset; {hint}")
    return yaml_reader.read(path)


def build(content: Mapping[str, Any], name: str) -> StudyConfig:
    """The study that a mapping describes.

    Raises:
        StudyFileError: It has mistakes; one line each, with the key's path.
    """
    try:
        return StudyConfig.model_validate(content)
    except ValidationError as error:
        raise StudyFileError(*(f"{name}: {line}" for line in one_line_per_mistake(error))) from error
