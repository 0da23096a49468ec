"""What a shell offers after TAB; where nothing here fits, shells complete file names themselves."""

from __future__ import annotations

from pathlib import Path

import typer


def directories(ctx: typer.Context, incomplete: str) -> list[str]:
    """Study directories of the storage folder, as one would write them here."""
    from study.directory import studies_in
    from study.environment import storage_folder

    here = Path.cwd()
    found = studies_in(storage_folder(ctx.params.get("storage")))
    names = [str(path.relative_to(here) if path.is_relative_to(here) else path) for path in found]
    return [name for name in names if name.startswith(incomplete)]


def studies(incomplete: str) -> list[str]:
    """Presets, and the study files beside what is written so far."""
    from study.config import presets

    folder = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    files = sorted(str(path) for ending in ("yaml", "yml") for path in folder.glob(f"*.{ending}"))
    return [name for name in (*presets(), *files) if name.startswith(incomplete)]


def preset_names(incomplete: str) -> list[str]:
    """Presets."""
    from study.config import presets

    return [name for name in presets() if name.startswith(incomplete)]


def trials(ctx: typer.Context, incomplete: str) -> list[str]:
    """Trials of the study whose directory was given, such as ``search/7``."""
    from study.store import FOLDERS

    directory = ctx.params.get("directory")
    if directory is None:
        return []
    labels = [f"{phase}/{number}" for phase, folder in FOLDERS.items() for number in _numbers(directory / folder)]
    return [label for label in labels if label.startswith(incomplete)]


def _numbers(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.glob("*") if path.name.isdecimal())
