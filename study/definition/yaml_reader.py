"""Reads and writes study files in a strict subset of YAML.

The reader refuses duplicate keys, aliases (a few lines of them can expand to millions of values), Python objects, deep
nesting, large files and text that is not UTF-8. No other module reads YAML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from study.errors import StudyFileError, UsageError

LARGEST_FILE_BYTES = 1_000_000
DEEPEST_NESTING = 50
FORMAT = 1  # version of the study directory's format: its files and the content of its database
FORMAT_KEY = "format"


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader that refuses aliases, duplicate keys and deep nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed", problem_mark=event.start_mark)
        self.depth += 1
        if self.depth > DEEPEST_NESTING:
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is a single word", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse(content: bytes, name: str, *, is_frozen: bool = False) -> dict[str, Any]:
    """Parses the content of a study file into a mapping.

    Args:
        content: Content of the file, UTF-8.
        name: Name of the file in error messages.
        is_frozen: Whether the file is the one in a study directory, which must have the key ``format``.

    Raises:
        StudyFileError: The content is empty, not YAML, or uses a refused feature; one line, with line and column.
    """
    if len(content) > LARGEST_FILE_BYTES:
        raise StudyFileError(f"{name}: {len(content):,} bytes is too large for a study file (at most 1 MB)")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StudyFileError(f"{name}: not a UTF-8 text file; save it as UTF-8") from error
    try:
        value = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - derived from the safe loader
    except yaml.YAMLError as error:
        raise StudyFileError(f"{name}{_where(error)}: {_what(error)}") from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # PyYAML's constructors raise built-in errors for values such as ``!!bool maybe``.
        raise StudyFileError(f"{name}: not valid YAML: {error}") from error
    if value is None:
        raise StudyFileError(f"{name}: the file is empty; `cskd init` writes one to start from")
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise StudyFileError(f"{name}: a study file is a mapping of keys such as `name:`, `dataset:` and `method:`")
    if is_frozen and FORMAT_KEY not in value:
        raise StudyFileError(
            f"{name}: has no {FORMAT_KEY}, so a version before the first release wrote the study, without checksums; "
            "continue it with that version"
        )
    _check_format(value.pop(FORMAT_KEY, FORMAT), name)
    return value


def read(path: Path, *, is_frozen: bool = False) -> dict[str, Any]:
    """Reads and parses a study file.

    Args:
        path: Path of the file.
        is_frozen: Whether the file is the one in a study directory, which must have the key ``format``.

    Raises:
        StudyFileError: The file cannot be read or parsed.
    """
    if path.is_dir():
        raise StudyFileError(f"{path}: is a folder, not a file{_in_folder(path)}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StudyFileError(f"{path}: cannot be read: {error.strerror}") from error
    return parse(content, str(path), is_frozen=is_frozen)


def _in_folder(folder: Path) -> str:
    """Returns a hint for a user who gave a folder in place of a file."""
    if (folder / "study.yaml").exists():
        return f"; `cskd resume {folder}` continues this study, {folder / 'best_config.yaml'} is its winner's run"
    return "; `cskd init` writes a study file, whose dataset.root names a folder of images"


def parse_value(text: str) -> Any:
    """Parses a YAML value of the command line, such as ``4``, ``[1, 4]`` or ``true``."""
    return parse(f"value: {text}".encode(), "--set")["value"]


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Parses settings ``key.path=value`` of the command line into a mapping of key path to value.

    Raises:
        UsageError: A setting has no key or no ``=``.
    """
    found = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {setting}: write it as key.path=value, such as --set search.trials=8")
        found[key] = parse_value(value)
    return found


def override(content: dict[str, Any], key: str, value: Any) -> None:
    """Sets ``key.path`` in nested mappings; a value on the path that is not a mapping is replaced by one.

    Example:
        >>> content = {"model": "resnet18", "search": {"trials": 8}}
        >>> override(content, "search.trials", 3)
        >>> override(content, "model.width", 16)
        >>> content
        {'model': {'name': 'resnet18', 'width': 16}, 'search': {'trials': 3}}
    """
    # Names of searched training parameters contain a dot themselves.
    marked = key.replace("search.space.training.", "search.space.training:", 1)
    *parents, last = (step.replace("training:", "training.") for step in marked.split("."))
    place = content
    for parent in parents:
        below = place.get(parent)
        if isinstance(below, str) and parent in ("dataset", "model", "method"):
            below = {"name": below}
        place[parent] = below if isinstance(below, dict) else {}
        place = place[parent]
    place[last] = value


def dump_frozen(value: dict[str, Any]) -> bytes:
    """Returns the study file of a study directory as YAML, with the directory's format."""
    return dump({FORMAT_KEY: FORMAT} | value)


def dump(value: dict[str, Any]) -> bytes:
    """Returns a mapping as YAML, with its keys in the given order."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100).encode()


def dump_value(value: Any) -> str:
    """Returns a value as YAML in one line, to be written after a key.

    Example:
        >>> dump_value({"low": 0.5, "high": 16.0, "log": True})
        '{low: 0.5, high: 16.0, log: true}'
    """
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1_000_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _check_format(found: Any, name: str) -> None:
    if type(found) is not int or found < 1:
        raise StudyFileError(f"{name}: {FORMAT_KEY}: is a whole number from 1, not {found!r}; leave it out")
    if found > FORMAT:
        raise StudyFileError(
            f"{name}: has format {found}, and this version of cs-kd-study reads up to {FORMAT}; update cs-kd-study"
        )


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"


def _what(error: yaml.YAMLError) -> str:
    text = " ".join(str(getattr(error, "problem", None) or str(error).splitlines()[0]).split())
    tag = re.fullmatch(r"could not determine a constructor for the tag '(.*)'", text)
    return f"the tag {tag[1]} is not allowed; a study file holds plain values" if tag else text
