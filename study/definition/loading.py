"""Reads study files and presets into study configurations."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from study.definition import paper_studies, teachers, yaml_reader
from study.definition.study_config import StudyConfig
from study.errors import StudyFileError
from trainables.interfaces.error_messages import one_line_per_mistake


def presets() -> tuple[str, ...]:
    """Names of the presets: files of the package, then the rows of the paper's tables."""
    return (*_preset_files(), *paper_studies.names())


def load(source: str | Path, overrides: Mapping[str, Any] | None = None) -> StudyConfig:
    """Reads a study file or a preset, and finds the trained teachers that it names.

    Args:
        source: Path of a study file, or name of a preset.
        overrides: Values by ``key.path``, set in the file's content before it is checked.

    Raises:
        StudyFileError: The file does not exist or has mistakes: one line each, with the key's path.
        CskdError: A teacher that the study names does not exist.
    """
    content = _content(str(source))
    for key, value in (overrides or {}).items():
        yaml_reader.override(content, key, value)
    return build(teachers.resolve(content), str(source))


def preset(name: str) -> StudyConfig:
    """Reads a preset without finding its teachers, which need not exist yet."""
    return build(_content(name), name)


def build(content: Mapping[str, Any], name: str) -> StudyConfig:
    """Builds the study that a mapping describes.

    Args:
        content: Content of a study file.
        name: Name of the file in error messages.

    Raises:
        StudyFileError: The content has mistakes: one line each, with the key's path.
    """
    try:
        return StudyConfig.model_validate(content)
    except ValidationError as error:
        raise StudyFileError(*(f"{name}: {line}" for line in one_line_per_mistake(error))) from error


def _content(source: str) -> dict[str, Any]:
    if source in paper_studies.names():
        return paper_studies.content(source)
    path = _preset_files().get(source, Path(source))
    # Unlike exists(), access() returns False for a name that is too long; it raises for one with a NUL.
    if "\0" in source or not os.access(path, os.F_OK):
        near = difflib.get_close_matches(source, presets(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`cskd presets` lists presets, `cskd init` writes a file"
        raise StudyFileError(f"{source}: neither a file nor a preset; {hint}")
    return yaml_reader.read(path)


def _preset_files() -> dict[str, Path]:
    folder = Path(str(resources.files("study.definition.presets")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
