"""Where the published files of a data set come from, and whether they are the right ones."""

from __future__ import annotations

import json
from pathlib import Path

from trainables.errors import DataError
from trainables.files.durable import write_atomic
from trainables.interfaces.dataset import Progress
from trainables.preparation.archives import PublishedFile, download
from trainables.preparation.recipes import Recipe


def located(recipe: Recipe, archives: list[Path]) -> dict[PublishedFile, Path]:
    """Where each published file is, or goes to: among ``archives`` by its name, else in the folder."""
    names = {file.name for file in recipe.files}
    given = {path.name: path for path in archives}
    if len(recipe.files) == len(archives) == 1:
        given = {recipe.files[0].name: archives[0]}
    if unknown := sorted(given.keys() - names):
        raise DataError(f"{given[unknown[0]]} is no file of {recipe.name}; its files are {', '.join(sorted(names))}")
    for path in given.values():
        if not path.is_file():
            raise DataError(f"{path} is no file; correct --archive")
    return {file: given.get(file.name, recipe.path.parent / file.name) for file in recipe.files}


def fetch(files: dict[PublishedFile, Path], progress: Progress) -> list[Path]:
    """Fetches what is missing; those of the fetched files that no published checksum has proved."""
    missing = {file: path for file, path in files.items() if not path.exists()}
    for file, path in missing.items():
        download(file.url, path, file.md5, progress)
    return [path for file, path in missing.items() if file.md5 is None]


def verified(file: PublishedFile, path: Path, recipe: Recipe, progress: Progress) -> str:
    """SHA-256 of a source; where none is published, it has to be that of the first one that was of use."""
    progress(f"check {file.name}", 0, 1)
    sha256 = file.verify(path, published=not recipe.part)
    known = {} if recipe.part else _remembered(recipe)
    if known.get(file.name, sha256) != sha256:
        raise DataError(
            f"{path} is not the {file.name} that was used before: its SHA-256 is {sha256}, not {known[file.name]}; "
            f"remove the entry from {_memory(recipe)} if the new one is right"
        )
    return sha256


def _memory(recipe: Recipe) -> Path:
    return recipe.path.parent / "sources.json"


def _remembered(recipe: Recipe) -> dict[str, str]:
    path = _memory(recipe)
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return known


def remember(recipe: Recipe, sources: dict[str, str]) -> None:
    """Keeps the SHA-256 of sources that have none published, once a prepared file was made of them."""
    unpublished = {file.name: sources[file.name] for file in recipe.files if not (file.md5 or file.sha256)}
    if unpublished and not recipe.part:
        write_atomic(_memory(recipe), json.dumps(_remembered(recipe) | unpublished, indent=1).encode())
