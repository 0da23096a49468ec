"""Locates, downloads and verifies the published files of a data set."""

from __future__ import annotations

import json
from pathlib import Path

from trainables.errors import DataError
from trainables.files.durable import write_atomic
from trainables.interfaces.dataset import Progress
from trainables.preparation.archives import PublishedFile, download
from trainables.preparation.recipes import Recipe


def located(recipe: Recipe, archives: list[Path]) -> dict[PublishedFile, Path]:
    """Returns the path of each published file: in ``archives`` by file name, else in the data set's folder.

    Raises:
        DataError: An archive does not exist or does not belong to the data set.
    """
    names = {file.name for file in recipe.files}
    given = {path.name: path for path in archives}
    if len(recipe.files) == len(archives) == 1:
        given = {recipe.files[0].name: archives[0]}
    if unknown := sorted(given.keys() - names):
        raise DataError(f"{given[unknown[0]]} is not a file of {recipe.name}; its files are {', '.join(sorted(names))}")
    for path in given.values():
        if not path.is_file():
            raise DataError(f"{path} is not a file; correct --archive")
    return {file: given.get(file.name, recipe.path.parent / file.name) for file in recipe.files}


def fetch(files: dict[PublishedFile, Path], progress: Progress) -> list[Path]:
    """Downloads the missing files; returns those that have no published checksum."""
    missing = {file: path for file, path in files.items() if not path.exists()}
    for file, path in missing.items():
        download(file.url, path, file.md5, progress)
    return [path for file, path in missing.items() if file.md5 is None]


def verified(file: PublishedFile, path: Path, recipe: Recipe, progress: Progress) -> str:
    """Verifies a source file and returns its SHA-256.

    A file without a published checksum must equal the one that was used first.

    Raises:
        DataError: The file cannot be read or is not the expected one.
    """
    progress(f"check {file.name}", 0, 1)
    sha256 = file.verify(path, published=not recipe.part)
    known = {} if recipe.part else _remembered(recipe)
    if known.get(file.name, sha256) != sha256:
        raise DataError(
            f"{path} is not the {file.name} that was used before: its SHA-256 is {sha256}, not {known[file.name]}; "
            f"remove its entry from {_checksums_path(recipe)} if the new file is right"
        )
    return sha256


def _checksums_path(recipe: Recipe) -> Path:
    return recipe.path.parent / "sources.json"


def _remembered(recipe: Recipe) -> dict[str, str]:
    path = _checksums_path(recipe)
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return known


def remember(recipe: Recipe, sources: dict[str, str]) -> None:
    """Records the SHA-256 of source files without a published checksum, after a successful preparation."""
    unpublished = {file.name: sources[file.name] for file in recipe.files if not (file.md5 or file.sha256)}
    if unpublished and not recipe.part:
        write_atomic(_checksums_path(recipe), json.dumps(_remembered(recipe) | unpublished, indent=1).encode())
