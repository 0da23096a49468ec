"""Reads study files: the one door to YAML, which is stricter here than YAML is.

Refused: duplicate keys, aliases (a few lines of them can expand to millions of leaves), Python objects, deep nesting,
large files, anything that is not UTF-8.
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
FORMAT = 1  # of study directories: their files, and what their database holds
FORMAT_KEY = "format"


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader without aliases, duplicate keys and deep nesting."""

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
    """The mapping that a study file holds.

    Args:
        content: The file's bytes, UTF-8.
        name: What messages call the file.
        is_frozen: It is that of a study directory, which must say its format.

    Raises:
        StudyFileError: It is empty, no YAML, or uses what is refused; one line with line and column.
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
        # Besides its own errors, PyYAML lets through what its constructors stumble over, such as ``!!bool maybe``.
        raise StudyFileError(f"{name}: not valid YAML: {error}") from error
    if value is None:
        raise StudyFileError(f"{name}: the file is empty; `cskd init` writes one to start from")
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise StudyFileError(f"{name}: a study file is a mapping of keys such as `name:`, `dataset:` and `method:`")
    if is_frozen and FORMAT_KEY not in value:
        raise StudyFileError(
            f"{name}: says no {FORMAT_KEY}, so the study is of a version before the first released one, which kept no "
            "checksums; go on with that version"
        )
    _check_format(value.pop(FORMAT_KEY, FORMAT), name)
    return value


def read(path: Path, *, is_frozen: bool = False) -> dict[str, Any]:
    """``parse`` of a file.

    Raises:
        StudyFileError: It cannot be read, or as ``parse``.
    """
    if path.is_dir():
        raise StudyFileError(f"{path}: is a folder, not a file{_in_folder(path)}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StudyFileError(f"{path}: cannot be read: {error.strerror}") from error
    return parse(content, str(path), is_frozen=is_frozen)


def _in_folder(folder: Path) -> str:
    """What a user who named a folder may have meant."""
    if (folder / "study.yaml").exists():
        return f"; of a study `cskd resume {folder}` goes on, and {folder / 'best_config.yaml'} is its winner's run"
    return "; `cskd init` writes a study file, whose dataset.root names a folder of images"


def parse_value(text: str) -> Any:
    """A value given on the command line, in YAML's words: ``4``, ``[1, 4]``, ``true``."""
    return parse(f"value: {text}".encode(), "--set")["value"]


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Settings ``key.path=value`` of the command line as key path to value.

    Raises:
        UsageError: One has no key or no value.
    """
    found = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {setting}: write it as key.path=value, such as --set search.trials=8")
        found[key] = parse_value(value)
    return found


def override(content: dict[str, Any], key: str, value: Any) -> None:
    """Sets ``key.path`` in a mapping of mappings; what is no mapping on the way is replaced by one.

    Example:
        >>> content = {"model": "resnet18", "search": {"trials": 8}}
        >>> override(content, "search.trials", 3)
        >>> override(content, "model.width", 16)
        >>> content
        {'model': {'name': 'resnet18', 'width': 16}, 'search': {'trials': 3}}
    """
    # The names of searched training parameters hold a dot themselves.
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


def frozen(value: dict[str, Any]) -> bytes:
    """The study file of a study directory, which says the directory's format."""
    return dump({FORMAT_KEY: FORMAT} | value)


def dump(value: dict[str, Any]) -> bytes:
    """The mapping as YAML, keys in the order given."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100).encode()


def dump_value(value: Any) -> str:
    """A value in one line, as it may stand behind a key.

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
