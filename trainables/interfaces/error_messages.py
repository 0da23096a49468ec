"""Formats validation errors: one line per mistake, with the path of the key and the nearest known name."""

from __future__ import annotations

import difflib
import types
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from trainables.interfaces import Options

UNPARSED = ", unable to parse"  # end of pydantic's messages
YAML_BOOLEANS = "; YAML reads on, off, yes and no as true or false, unless they are in quotes"


def one_line_per_mistake(error: ValidationError) -> list[str]:
    """Formats each mistake as one line, such as ``training.epoch: unknown key; did you mean 'epochs'?``."""
    mistakes = error.errors(include_url=False)
    return [_line(mistake, error) for mistake in mistakes if not _follows_from_another(mistake, mistakes)]


def _follows_from_another(mistake: Any, mistakes: Any) -> bool:
    # pydantic counts only the valid items of a list, so it may also report a list with an invalid item as too short.
    path = mistake["loc"]
    inside = any(other["loc"][: len(path)] == path and other["loc"] != path for other in mistakes)
    return bool(mistake["type"] == "too_short" and inside)


def _line(mistake: Any, error: ValidationError) -> str:
    location = [str(step) for step in mistake["loc"]]
    path = ".".join(location)
    if mistake["type"] == "extra_forbidden":
        return f"{path}: unknown key{_nearest(location[-1], error.title, location[:-1])}"
    if mistake["type"] == "missing":
        return f"{path}: is missing"
    message = mistake["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ").partition(UNPARSED)[0]
    message = message.replace("a valid tuple", "a list")
    if mistake["type"] == "value_error":
        return f"{path}: {message}" if path else message
    if mistake["type"] in ("model_type", "dict_type"):
        message = "is a mapping of keys"
    value = mistake.get("input")
    hint = YAML_BOOLEANS if mistake["type"] == "string_type" and isinstance(value, bool) else ""
    return f"{path}: {message[0].lower()}{message[1:]}, not {_shown(value)}{hint}"


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _nearest(key: str, title: str, parents: list[str]) -> str:
    model = _model_at(title, parents)
    near = difflib.get_close_matches(key, list(model.model_fields), n=1) if model else []
    return f"; did you mean {near[0]!r}?" if near else ""


def _model_at(title: str, parents: list[str]) -> type[BaseModel] | None:
    model = next((known for known in _descendants(Options) if known.__name__ == title), None)
    for step in parents:
        field = model.model_fields.get(step) if model else None
        model = _model_in(field.annotation) if field else None
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    candidates = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return next((kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _descendants(kind: type[BaseModel]) -> list[type[BaseModel]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _descendants(child))]
