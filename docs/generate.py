"""Writes the reference pages that follow from the code: ``python -m docs.generate``.

Commands come from the command line's own definition, keys of the study file from the models that check it, parts and
default spaces from their modules. ``tests/test_docs.py`` compares the committed pages with what this module returns.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from pydantic import BaseModel, ByteSize
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from search_spaces import space
from search_spaces.symbols import symbol
from study.campaigns import preview
from study.cli import app
from study.definition.sections import Race
from study.definition.service_sections import Artifacts, Database
from study.definition.study_config import StudyConfig
from study.definition.template import allowed_values, meanings_of
from study.definition.yaml_reader import dump_value
from trainables.interfaces import Part, registry

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Written by `python -m docs.generate`; edit the code or docs/generate.py instead. -->"
OPTIONAL = (Race, Database, Artifacts)  # sections that are null by default


def pages() -> dict[str, str]:
    """Text of each generated page, by file name."""
    return {
        "commands.md": _page("Commands", _commands()),
        "study_file.md": _page("The study file", _study_file()),
        "default_spaces.md": _page("Default search spaces", _default_spaces()),
        "parts.md": _page("Methods, models and data sets", _parts()),
        "methods.md": _page("Methods", _methods()),
    }


def _page(title: str, paragraphs: Iterable[str]) -> str:
    return "\n\n".join([NOTE, f"# {title}", *paragraphs]) + "\n"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _commands() -> Iterator[str]:
    root: Any = typer.main.get_command(app)
    yield (
        "Each command has a help page: `cskd COMMAND --help`. `cskd --install-completion` installs completion "
        "for bash, zsh and fish: commands, presets, study directories, trials, data sets and formats. "
        "[Exit codes](exit_codes.md) are the same for all commands."
    )
    groups: dict[str, list[str]] = {}
    for name, command in root.commands.items():
        groups.setdefault(command.rich_help_panel, []).append(name)
    for group, names in groups.items():
        rows = [(f"[`cskd {name}`](#cskd-{name})", _first_paragraph(root.commands[name].help)) for name in names]
        yield _table((group, "Purpose"), rows)
    for names in groups.values():
        for name in names:
            yield from _command(f"cskd {name}", root.commands[name], level=2)


def _command(path: str, command: Any, level: int) -> Iterator[str]:
    yield f"{'#' * level} {path}"
    yield from (" ".join(each.split()) for each in inspect.cleandoc(command.help or "").split("\n\n"))
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from _command(f"{path} {name}", below, level + 1)
        return
    context = typer.Context(command, info_name=path)
    usage = " ".join(["cskd", *path.split()[1:], *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```"
    rows = [_parameter(each) for each in command.params if not each.hidden and each.name != "help"]
    if rows:
        yield _table(("Parameter", "Default", "Meaning"), rows)
    if command.epilog:
        yield re.sub(r"^Example: (.*)$", r"Example: `\1`", command.epilog)


def _parameter(parameter: Any) -> tuple[str, str, str]:
    if isinstance(parameter, typer.core.TyperArgument):
        default = "required" if parameter.required else ""
        return _code(parameter.metavar or parameter.name.upper()), default, parameter.help or ""
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    choices = _choices(parameter.type_descriptor.annotation)
    value = "" if parameter.is_flag else (parameter.metavar or "|".join(choices) or parameter.name.upper())
    shown = parameter.show_default
    if isinstance(shown, str):
        default = shown
    elif parameter.secondary_opts:
        default = _code((parameter.opts if parameter.default else parameter.secondary_opts)[0])
    elif not shown or parameter.is_flag or parameter.default in (None, ()):
        default = "required" if parameter.required else ""
    else:
        default = _code(str(parameter.default))
    environment = f" Environment variable: `{parameter.envvar}`." if parameter.envvar else ""
    return _code(f"{names} {value}".strip()), default, (parameter.help or "") + environment


def _choices(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    return next(filter(None, map(_choices, get_args(annotation))), ())


def _first_paragraph(text: str | None) -> str:
    return inspect.cleandoc(text or "").split("\n\n")[0]


def _study_file() -> Iterator[str]:
    example = (FOLDER.parent / "examples" / "birds.yaml").read_text().strip()
    yield (
        "A study file is YAML. Only `name`, `dataset`, `model` and `method` are required. `cskd init` prints a file "
        "with every key, `cskd validate STUDY` reports mistakes, one line each, with the nearest valid name, and "
        "`--set search.trials=20` overrides a key on the command line."
    )
    yield "## Example"
    yield f"```yaml\n{example}\n```"
    yield (
        "`dataset`, `model` and `method` take a name, or a mapping of `name` and options; "
        "[Methods, models and data sets](parts.md) lists the options. "
        "`module:Class` names [a part of your own package](../how-to/add_a_method.md)."
    )
    yield "## Keys of the whole file"
    sections: list[tuple[str, type[BaseModel]]] = []
    yield _keys("", StudyConfig, sections)
    while sections:
        path, kind = sections.pop(0)
        below: list[tuple[str, type[BaseModel]]] = []
        yield f"## {path}"
        yield from _prose(kind)
        yield _keys(f"{path}.", kind, below)
        sections = below + sections


def _keys(prefix: str, kind: type[BaseModel], sections: list[tuple[str, type[BaseModel]]]) -> str:
    """A row for each key; sections below are added to ``sections``."""
    meanings = meanings_of(kind)
    rows = []
    for name, field in kind.model_fields.items():
        path, default = f"{prefix}{name}", field.get_default(call_default_factory=True)
        section = type(default) if isinstance(default, BaseModel) else _optional_section(field.annotation)
        meaning = meanings.get(name, "")
        if section is None:
            rows.append((_code(path), _default(default), _values(field), meaning))
        else:
            sections.append((path, section))
            meaning = f"{meaning or _first_line(section)} See [{path}](#{path.replace('.', '')})."
            rows.append((_code(path), "" if default is not None else _code("null"), "", meaning))
    return _table(("Key", "Default", "Values", "Meaning"), rows)


def _optional_section(annotation: Any) -> type[BaseModel] | None:
    return next((kind for kind in OPTIONAL if kind in getattr(annotation, "__args__", ())), None)


def _values(field: FieldInfo) -> str:
    values = allowed_values(field)
    return "" if values == "or null" else values


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, ByteSize):
        return _code(value.human_readable())
    return _code(dump_value(list(value) if isinstance(value, tuple) else value))


def _first_line(kind: type) -> str:
    return inspect.cleandoc(kind.__doc__ or "").splitlines()[0]


def _prose(kind: type[BaseModel]) -> list[str]:
    """Paragraphs of a docstring before its ``Attributes`` section."""
    text = re.split(r"^Attributes:$", inspect.cleandoc(kind.__doc__ or ""), flags=re.MULTILINE)[0].strip()
    return [_markdown(paragraph) for paragraph in text.split("\n\n")]


def _markdown(text: str) -> str:
    joined = " ".join(text.split())
    return joined.replace("``", "`")


def _default_spaces() -> Iterator[str]:
    yield (
        "What a study searches when it names no `search.space`. Each is `SPACE` in `search_spaces/<method>.py`. "
        "Methods that are not listed have no default space: name what is searched. `cskd narrow` makes a smaller space "
        "around the best points of a finished study."
    )
    rows = []
    for name in registry.available("methods"):
        found = space.default_space(name)
        if found is not None:
            reason = inspect.getdoc(import_module(f"search_spaces.{name}")) or ""
            ranges = ", ".join(
                f"{symbol(key).text} {preview.range_text(space.as_mapping(distribution))}"
                for key, distribution in found.items()
            )
            rows.append((_code(name), ranges, reason.split("\n\n")[0]))
    yield _table(("Method", "Default space", "Why"), rows)


def _parts() -> Iterator[str]:
    yield (
        "The parts that come with the package, and their options in a study file. Each is one file of its name below "
        "`trainables/`; [Methods](methods.md) has formulas and sources."
    )
    for package, title in zip(registry.PACKAGES, ("Methods", "Models", "Data sets"), strict=True):
        yield f"## {title}"
        parts = {name: registry.load(package, name) for name in registry.available(package)}
        yield _table(("Name", "Description"), [(_code(name), _summary(part)) for name, part in parts.items()])
        yield "Options:"
        yield _table(("Option", title, "Default", "Values", "Meaning"), _option_rows(parts))


def _methods() -> Iterator[str]:
    yield (
        "Loss, source, hyperparameters and cost of each method. "
        "[Methods, models and data sets](parts.md#methods) lists the options."
    )
    for name in registry.available("methods"):
        yield f"## {name}"
        options = "{show_root_heading: false, show_root_toc_entry: false, show_bases: false, heading_level: 3}"
        yield f"::: trainables.methods.{name}.{registry.load('methods', name).__name__}\n    options: {options}"


def _summary(part: type[Part]) -> str:
    return _markdown(inspect.cleandoc(part.__doc__ or "").split("\n\n")[0])


def _option_rows(parts: dict[str, type[Part]]) -> Iterator[tuple[str, ...]]:
    """A row for each option; parts whose option is the same in every respect share it."""
    owners: dict[tuple[str, ...], list[str]] = {}
    for name, part in parts.items():
        for row in _options(part):
            owners.setdefault(row, []).append(name)
    for row, names in sorted(owners.items(), key=lambda item: (item[0][0], -len(item[1]))):
        yield (row[0], "all" if len(names) == len(parts) else ", ".join(map(_code, names)), *row[1:])


def _options(kind: type[BaseModel], prefix: str = "", given: BaseModel | None = None) -> Iterator[tuple[str, ...]]:
    meanings = meanings_of(kind)
    for name, field in kind.model_fields.items():
        default = field.get_default(call_default_factory=True) if given is None else getattr(given, name)
        path, meaning = f"{prefix}{name}", meanings.get(name, "")
        if isinstance(default, BaseModel):
            yield _code(path), "", "", meaning or _first_line(type(default))
            yield from _options(type(default), f"{path}.", default)
        else:
            yield _code(path), _default(default), _values(field), meaning


def main() -> None:
    """Writes all pages."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
