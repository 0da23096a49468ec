"""Shell completions for arguments; where there are none, the shell completes file names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer


def directories(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the study directories in the storage folder and in the folder typed so far.

    Directories below the current one are given as relative paths.
    """
    from study.machine.folders import storage_folder
    from study.state.directory import studies_in

    here = Path.cwd()
    found = studies_in(storage_folder(ctx.params.get("storage")))
    names = [str(path.relative_to(here) if path.is_relative_to(here) else path) for path in found]
    names += map(str, studies_in(_folder(incomplete)))
    return _starting_with(names, incomplete)


def configurations(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the best configurations of these studies, and the YAML files in the folder typed so far."""
    best = [Path(name) / "best_config.yaml" for name in directories(ctx, "")]
    return _starting_with([*(str(path) for path in best if path.exists()), *_yaml_files(incomplete)], incomplete)


def studies(incomplete: str) -> list[str]:
    """Returns the presets, and the YAML files in the folder typed so far."""
    from study.definition.loading import presets

    return _starting_with([*presets(), *_yaml_files(incomplete)], incomplete)


def datasets(incomplete: str) -> list[str]:
    """Returns the names of the data sets."""
    from trainables.interfaces.registry import available

    return _starting_with(available("datasets"), incomplete)


def paper_items(incomplete: str) -> list[str]:
    """Returns the tables and figures of the paper."""
    from study.campaigns.paper_tables import items

    return _starting_with(items(), incomplete)


def templates(incomplete: str) -> list[str]:
    """Returns the deployment files of ``cskd deploy``."""
    from study.machine.deployment import templates as known

    return _starting_with(known(), incomplete)


def trials(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the trials of the study directory given before, such as ``search/7``."""
    from study.state.optuna_store import FOLDERS

    directory = ctx.params.get("directory")
    if directory is None:
        return []
    labels = [f"{phase}/{number}" for phase, folder in FOLDERS.items() for number in _numbers(directory / folder)]
    return _starting_with(labels, incomplete)


def _starting_with(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _folder(incomplete: str) -> Path:
    return Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent


def _yaml_files(incomplete: str) -> list[str]:
    return sorted(str(path) for ending in ("yaml", "yml") for path in _folder(incomplete).glob(f"*.{ending}"))


def _numbers(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.glob("*") if path.name.isdecimal())
