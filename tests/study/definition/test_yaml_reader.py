"""Tests of the YAML reader: each invalid input is refused at once, in one line."""

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from study.definition import yaml_reader
from study.definition.yaml_reader import parse, parse_value, read
from study.errors import StudyFileError
from tests.kit.patience import patience

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(30))
REFUSED = {
    "empty": (b"", "the file is empty; `cskd init` writes"),
    "comments only": (b"# nothing\n\n", "the file is empty"),
    "not YAML": (b"name: [1, 2\nmethod: x", "line 2, column 7: "),
    "tabs": (b"name:\n\tx: 1", "line 2, column 1: "),
    "binary": (bytes(range(256)), "not a UTF-8 text file"),
    "NUL": (b"name: \x00", "special characters are not allowed"),
    "UTF-16": ("name: toy".encode("utf-16"), "not a UTF-8 text file; save it as UTF-8"),
    "UTF-16 without BOM": ("name: toy".encode("utf-16-le"), "special characters are not allowed"),
    "duplicate key": (b"name: a\ntraining: {lr: 1, lr: 2}", "line 2, column 19: key 'lr' is given twice"),
    "alias": (b"a: &x 1\nb: *x", r"line 2, column 4: aliases \(\*name\) are not allowed"),
    "alias bomb": (BOMB.encode(), "aliases"),
    "3000 lists": (b"a: " + 3000 * b"[" + 3000 * b"]", "nested too deeply"),
    "3000 mappings": (b"a: " + 3000 * b"{a: " + 3000 * b"}", "nested too deeply"),
    "3000 indents": ("\n".join(" " * n + "a:" for n in range(1200)).encode(), "nested too deeply"),
    "huge": (b"a: " + 1_000_000 * b"x", r"1,000,003 bytes is too large for a study file \(at most 1 MB\)"),
    "Python object": (b"a: !!python/object/apply:os.system [ls]", "is not allowed; a study file holds plain values"),
    "Python name": (b"a: !!python/name:os.system", "is not allowed; a study file holds plain values"),
    "own tag": (b"a: !mine 1", "is not allowed; a study file holds plain values"),
    "list": (b"- name: toy", "a study file is a mapping of keys"),
    "text": (b"hello", "a study file is a mapping of keys"),
    "numbers as keys": (b"1: a", "a study file is a mapping of keys"),
    "list as key": (b"? [a, b]\n: 1", "a key is a single word"),
    "mapping as key": (b"{{a: 1}: 2}", "a key is a single word"),
    "two documents": (b"a: 1\n---\nb: 2", "found another document"),
    "no bool": (b"a: !!bool maybe", "not valid YAML"),
    "no time": (b"a: !!timestamp soon", "not valid YAML"),
    "no date": (b"a: 2026-13-45", "not valid YAML: month must be in 1..12"),
    "no integer": (b"a: !!int ''", "not valid YAML"),
    "many digits": (b"a: " + 5000 * b"9", "not valid YAML"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_invalid_content_is_refused_at_once_in_one_line(content: bytes, message: str) -> None:
    start = time.perf_counter()
    with pytest.raises(StudyFileError, match=message) as caught:
        parse(content, "my.yaml")
    assert time.perf_counter() - start < patience(1)
    assert str(caught.value).startswith("my.yaml")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert caught.value.exit_code == 64


def test_a_file_of_100_megabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(StudyFileError, match="100,000,000 bytes is too large"):
        read(path)


def test_a_byte_order_mark_is_accepted() -> None:
    assert parse(b"\xef\xbb\xbfname: toy", "x") == {"name": "toy"}


def test_anchors_without_aliases_and_forty_levels_are_accepted() -> None:
    assert parse(b"a: &x 1", "x") == {"a": 1}
    assert parse(b"a: " + 40 * b"[" + 40 * b"]", "x")
    side_by_side = "\n".join(f"k{n}: {{a: [{n}]}}" for n in range(500))  # the depth falls again after each mapping
    assert len(parse(side_by_side.encode(), "x")) == 500


def test_a_folder_or_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match="is a folder, not a file; `cskd init` writes a study file"):
        read(tmp_path)
    with pytest.raises(StudyFileError, match="cannot be read: No such file"):
        read(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("4", 4), ("[1, 4]", [1, 4]), ("true", True), ("1e-3", "1e-3"), ("", None), ("{a: 1}", {"a": 1}), ("x", "x")],
)
def test_parse_value_reads_a_yaml_value(text: str, value) -> None:
    assert parse_value(text) == value


def test_an_invalid_value_of_the_command_line_names_its_option() -> None:
    with pytest.raises(StudyFileError, match=r"^--set"):
        parse_value("[1")


def parsed_or_refused(content: bytes) -> dict | str:
    try:
        return parse(content, "x.yaml")
    except StudyFileError as error:
        return str(error)


# Characters with a meaning in YAML are frequent, so that Hypothesis reaches the parser's special cases.
pieces = [*"{}[]:,-?&*!#|>'\"%@ \n\tab01._~=<", "!!", ": ", "- ", "? ", "<<: "]
grammar = st.lists(st.sampled_from(pieces)).map(lambda chosen: "".join(chosen).encode())
tags = ("bool", "int", "float", "null", "timestamp", "binary", "set", "omap", "pairs", "map", "seq", "str", "merge")
tagged = st.builds(
    lambda tag, value: f"a: !!{tag} {value}".encode(),
    st.sampled_from(tags),
    st.sampled_from(["x", "''", "[]", "{}", "[a]", "{a: 1}", "0x", "-", "1:", "~", "[[a, b]]", "{? [a] : 1}"]),
)


@given(st.binary(max_size=200) | grammar | tagged | st.text().map(lambda text: text.encode("utf-8", "replace")))
@settings(max_examples=400)
def test_any_bytes_give_a_mapping_or_an_error_of_one_line(content: bytes) -> None:
    found = parsed_or_refused(content)
    assert isinstance(found, dict) or "\n" not in found


leaves = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text()
mappings = st.dictionaries(
    st.text(min_size=1),
    st.recursive(leaves, lambda below: st.lists(below) | st.dictionaries(st.text(), below), max_leaves=12),
    min_size=1,
)


@given(mappings)
def test_parse_is_the_inverse_of_dump(mapping: dict) -> None:
    try:
        content = yaml_reader.dump(mapping)
        plain = yaml.safe_load(content) == mapping
    except yaml.YAMLError:
        plain = False  # PyYAML does not support all of Unicode
    if plain:
        assert parse(content, "x") == mapping
