"""Writes a commented study file with every key, generated from the models that validate study files."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from study.definition.yaml_reader import dump_value
from trainables.interfaces import Part

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from study.definition.study_config import StudyConfig

WIDTH = 100
HEADER = """\
# A study file. Keys whose value is the default may be left out.
#   cskd validate FILE                  checks it and summarizes what the study will do
#   cskd launch FILE --storage runs     runs it
"""
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "multiple_of": "a multiple of"}
YAML_NAMES = {"``": "`", "None": "null", "True": "true", "False": "false"}  # Python's notation to YAML's
STARTING_POINT = {
    "name": "my-study",
    "dataset": "digits",
    "model": {"name": "preact_resnet10", "input_size": 8},
    "method": "cs_kd",
    "controls": [{"method": "cross_entropy"}],
}


def commented(study: StudyConfig) -> str:
    """Returns the study as a YAML file with every key, each below a comment that explains it."""
    space = study.resolved()["search"]["space"]
    return HEADER + "".join(f"{line}\n" for line in _keys(study, "", {"space": space}))


def _keys(options: BaseModel, indent: str, resolved: dict[str, Any]) -> Iterator[str]:
    meanings = meanings_of(type(options))
    if isinstance(options, Part):
        yield f"{indent}name: {dump_value(options.part_name())}"
    for name, field in type(options).model_fields.items():
        if not indent:
            yield ""
        value = getattr(options, name)
        yield from _comment(meanings.get(name) or _summary(value), allowed_values(field), indent)
        yield from _value(name, resolved.get(name, value), indent, resolved)


def _value(name: str, value: Any, indent: str, resolved: dict[str, Any]) -> Iterator[str]:
    below = f"{indent}  "
    if isinstance(value, BaseModel):
        yield f"{indent}{name}:"
        yield from _keys(value, below, resolved if name == "search" else {})
    elif name == "space":
        yield f"{indent}{name}:"
        yield from (f"{below}{dump_value(key)}: {dump_value(distribution)}" for key, distribution in value.items())
    elif name == "controls" and value:
        yield f"{indent}{name}:"
        yield from (f"{below}- {dump_value(control)}" for control in value)
    else:
        yield f"{indent}{name}: {dump_value(_plain(value))}"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)  # byte sizes are a subclass of int that YAML cannot write
    return value if isinstance(value, bool | float | None) else str(value)


def _comment(meaning: str, allowed: str, indent: str) -> Iterator[str]:
    text = " ".join(filter(None, [meaning, f"({allowed})" if allowed else ""]))
    yield from textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def meanings_of(kind: type[BaseModel]) -> dict[str, str]:
    """Returns the texts in the ``Attributes`` sections of a class and its bases, by name."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        section = re.search(r"^Attributes:\n((?: .*\n?|\n)+)", inspect.cleandoc(base.__doc__ or ""), re.MULTILINE)
        if section:
            entries = re.findall(r"^ {4}(\w+): (.*(?:\n {6,}.*)*)", section[1], re.MULTILINE)
            found |= {name: _in_yaml(" ".join(text.split())) for name, text in entries}
    return found


def _summary(value: Any) -> str:
    return inspect.cleandoc(type(value).__doc__ or "").splitlines()[0] if isinstance(value, BaseModel) else ""


def _in_yaml(text: str) -> str:
    return re.sub("``|None|True|False", lambda name: YAML_NAMES[name[0]], text)


def allowed_values(field: FieldInfo) -> str:
    """Returns the allowed values of a key: its choices, or the bounds of a number."""
    kinds = (field.annotation, *get_args(field.annotation))
    choices = next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), ())
    if choices:
        return " ".join(map(str, choices))
    if field.annotation is bool:
        return "true or false"
    bounds = [
        f"{word} {getattr(mark, key)}" for mark in field.metadata for key, word in BOUNDS.items() if hasattr(mark, key)
    ]
    return ", ".join([*bounds, *(["or null"] if type(None) in kinds else [])])
