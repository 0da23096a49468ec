"""Exports the winner as text: its configuration in several formats, or a record with values and origin."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from analysis.findings import best_config
from analysis.paper import released_flags
from analysis.tables.table import escape
from analysis.words.wording import spread, with_unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from analysis.findings.best_config import BestConfig
    from analysis.records.result_files import Results

SCHEMA = 1
RECORDS = ("record", "optimization_results")
FORMATS = ("yaml", "json", "hydra", "args", "released")


def export(config: Mapping[str, Any], fmt: str, header: Sequence[str] = ()) -> str:
    """Writes a ``TrainConfig`` in a format; keys keep their order and numbers their exact value.

    Args:
        config: Configuration as a JSON-serialisable mapping.
        fmt: Format: ``yaml``, with the header as comments; ``json``; ``hydra``, the same YAML as a global package of
            Hydra; ``args``, one line of shell-quoted flags; ``released``, flags of the paper's released code.
        header: Lines on the origin of the configuration; formats without comments omit them.

    Returns:
        Text that ends with a newline.

    Raises:
        ValueError: The format is unknown.
        ResultsError: The released code has no flag for a part of the configuration.

    Example:
        >>> config = {"method": {"name": "cs_kd", "temperature": 4.0}, "training": {"epochs": 200}, "seed": 1}
        >>> print(export(config, "args"), end="")
        --method cs_kd --temperature 4.0 --epochs 200 --seed 1
    """
    plain = json.loads(json.dumps(config))
    if fmt == "yaml":
        return _yaml(plain, header)
    if fmt == "json":
        return json.dumps(plain, indent=2) + "\n"
    if fmt == "hydra":  # the first line places the keys at the root of a configuration that includes the file
        return "# @package _global_\n" + _yaml(plain, header)
    if fmt == "released":
        return shlex.join(released_flags.flags(plain)) + "\n"
    if fmt == "args":
        return shlex.join(_flags(plain)) + "\n"
    raise ValueError(f"unknown format {fmt!r}; choose from: {', '.join(FORMATS)}")


def header(best: BestConfig, command: str = "cskd train best_config.yaml --test") -> tuple[str, ...]:
    """Returns lines on the origin of the winner: study, arm, values, versions, and how to train it again."""
    winner, origin = best.arms[0], best.origin
    lines = [f"study {best.study}, arm {winner.name} ({winner.method} on {best.dataset}, {best.model})"]
    if winner.search_value is not None:
        value = with_unit(spread(winner.search_value, None, best.objective), best.objective)
        lines.append(f"{best.objective} {value}: search value, optimistic")
    if winner.test is not None:
        value = with_unit(spread(winner.test.mean, winner.test.std, best.metric), best.metric)
        seeds = ", ".join(map(str, winner.seeds))
        lines.append(f"{best.metric} {value} (mean ± sample std over n={winner.test.n} fresh seeds: {seeds})")
    made_with = {"study digest": origin.study_digest, "commit": origin.commit, **origin.versions}
    origin_text = ", ".join(f"{name} {value}" for name, value in made_with.items() if value)
    return (*lines, f"schema {SCHEMA}{f', {origin_text}' if origin_text else ''}", f"reproduce: {command}")


def record(best: BestConfig, config: Mapping[str, Any]) -> str:
    """Returns the winner's configuration, values and origin as flat JSON, for notebooks and spreadsheets.

    Args:
        best: Outcome of a study.
        config: ``TrainConfig`` of its winner; nested keys are joined with dots, such as ``method.temperature``.

    Returns:
        JSON text that ends with a newline; values are fractions, not percent.
    """
    winner, origin = best.arms[0], best.origin
    test = winner.test
    reached = {best.objective: winner.search_value, best.metric: test and test.mean}
    spread_of = {"std": test and test.std, "n": test and test.n, "seeds": list(winner.seeds)}
    found = {
        **{"schema": SCHEMA, "study": best.study, "study_digest": origin.study_digest, "arm": winner.name},
        **reached,
        **{f"{best.metric}.{name}": value for name, value in spread_of.items()},
        **_flat(json.loads(json.dumps(config))),
        "commit": origin.commit,
        **{f"versions.{name}": version for name, version in origin.versions.items()},
    }
    return json.dumps(found, indent=2) + "\n"


def optimization_results(best: BestConfig) -> str:
    """Returns the winner's searched parameters and search value in the form of ``optimization_results.yaml``.

    Hydra's Optuna sweeper writes such a file. Keys are overrides of the ``hydra`` export, such as
    ``method.temperature``.
    """
    import yaml

    winner = best.arms[0]
    found = {name if "." in name else f"method.{name}": winner.hyperparameters[name] for name in best.searched}
    content = {"name": "optuna", "best_evaluated_params": found, "best_value": winner.search_value}
    document: str = yaml.safe_dump(content, sort_keys=False)
    return document


def of_study(results: Results, fmt: str) -> str:
    """Returns the winner of a study in one of ``FORMATS`` or ``RECORDS``.

    Raises:
        ResultsError: The winner is not confirmed, or the released code has no flag for a part of the configuration.
    """
    best, config = best_config.collect(results), best_config.winner_config(results)
    if fmt == "record":
        return record(best, config)
    if fmt == "optimization_results":
        return optimization_results(best)
    return export(config, fmt, header(best))


def _yaml(plain: Mapping[str, Any], header: Sequence[str]) -> str:
    import yaml

    comments = "".join(f"# {escape(line)}\n" for line in header)
    document: str = yaml.safe_dump(plain, sort_keys=False)  # ASCII: PyYAML writes a bare NEL that it reads as a space
    return comments + document


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns the values by their nested keys, joined by dots."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def _flags(config: Mapping[str, Any]) -> Iterator[str]:
    """Yields a flag for each part and option by its own name; options of the data set are prefixed ``dataset.``."""
    for key, value in config.items():
        if not isinstance(value, dict):
            yield from _flag(key, value)
            continue
        yield from _flag(key, value.get("name"))
        prefix = "dataset." if key == "dataset" else ""
        yield from _options(prefix, {name: option for name, option in value.items() if name != "name"})


def _options(prefix: str, options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        if isinstance(value, dict):
            yield from _options(f"{prefix}{name}.", value)
        else:
            yield from _flag(prefix + name, value)


def _flag(name: str, value: Any) -> Iterator[str]:
    if value is None:
        return
    yield f"--{name}"
    for item in value if isinstance(value, list) else [value]:
        yield str(item).lower() if isinstance(item, bool) else str(item)
