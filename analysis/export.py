"""A configuration as text to paste into a training script: YAML, JSON, Hydra or command-line flags."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from analysis import released
from analysis.tables import escape
from analysis.wording import spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from analysis.best_config import BestConfig

FORMATS = ("yaml", "json", "hydra", "args", "released")


def export(config: Mapping[str, Any], fmt: str, header: Sequence[str] = ()) -> str:
    """Writes a ``TrainConfig`` in a format; keys keep their order and numbers their exact value.

    Args:
        config: The configuration as a mapping that JSON can say.
        fmt: ``yaml``, with the header as comments; ``json``; ``hydra``, the same YAML as a global package of Hydra's;
            ``args``, one line of shell-quoted flags; ``released``, those of the paper's released code.
        header: Lines about where the configuration comes from; formats without comments leave them out.

    Returns:
        Text that ends with a newline.

    Raises:
        ValueError: The format is unknown.
        ResultsError: The released code has no flag for something.

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
    if fmt == "hydra":  # its first line puts the keys at the root of whatever includes the file
        return "# @package _global_\n" + _yaml(plain, header)
    if fmt == "released":
        return shlex.join(released.flags(plain)) + "\n"
    if fmt == "args":
        return shlex.join(_flags(plain)) + "\n"
    raise ValueError(f"no format is called {fmt!r}; there are: {', '.join(FORMATS)}")


def header(best: BestConfig, command: str = "cskd train best_config.yaml --test") -> tuple[str, ...]:
    """Lines that say where the winner comes from: study, arm, test value, how to train it again."""
    winner = best.arms[0]
    lines = [f"study {best.study}, arm {winner.name} ({winner.method} on {best.dataset}, {best.model})"]
    if winner.test is None:
        lines.append(f"{best.objective} {spread(winner.search_value, None, best.metric)}: search value, optimistic")
    else:
        value = spread(winner.test.mean, winner.test.std, best.metric)
        lines.append(f"{best.metric} {value} (mean ± sample std over n={winner.test.n} fresh seeds)")
    return (*lines, f"reproduce: {command}")


def _yaml(plain: Mapping[str, Any], header: Sequence[str]) -> str:
    import yaml

    comments = "".join(f"# {escape(line)}\n" for line in header)
    document: str = yaml.safe_dump(plain, sort_keys=False)  # ASCII: PyYAML writes a bare NEL that it reads as a space
    return comments + document


def _flags(config: Mapping[str, Any]) -> Iterator[str]:
    """Names of parts, their options and the training options by their own name; options of data with ``dataset.``."""
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
