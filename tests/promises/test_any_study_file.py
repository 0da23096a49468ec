"""Any study file is read quickly, as a study or with a few clean error lines."""

import copy
import datetime
import os
import time
import unicodedata

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analysis.words.safe_text import LONGEST_LINE
from study.campaigns import preview
from study.definition import template, yaml_reader
from study.definition.loading import build
from study.definition.study_config import StudyConfig
from study.errors import StudyFileError
from tests.kit.fakes.toy import STUDY
from tests.kit.patience import patience

TOY = yaml.safe_load(STUDY) | {"resources": {"retries": 1}, "tracking": {"uri": None}}
TOY["search"] |= {"scheduler": {"name": "none"}, "objectives": ["validation/nll"], "vary_seed": False}
EXAMPLES = int(os.environ.get("CSKD_EXAMPLES", "300"))
SLOW_SECONDS = 5  # a tenth of a second on a quiet machine


def read(content: bytes) -> StudyConfig | None:
    """Reads a file as ``cskd validate`` does; checks error lines and duration."""
    start = time.monotonic()
    try:
        study = build(yaml_reader.parse(content, "my.yaml"), "my.yaml")
        preview.entries(preview.describe(study))
    except StudyFileError as error:
        study = None
        assert error.mistakes  # noqa: PT017 - a valid file raises nothing
        for line in error.mistakes:
            assert line.startswith("my.yaml")
            assert len(line) <= LONGEST_LINE + 20
            assert not {c for c in line if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029"}
    assert time.monotonic() - start < patience(SLOW_SECONDS)
    return study


def check(content: bytes) -> None:
    """Checks that a valid study survives a round trip, as a resolved file and as a commented template."""
    study = read(content)
    if study is not None:
        for text in (yaml_reader.dump(study.resolved()), template.commented(study).encode()):
            again = build(yaml_reader.parse(text, "x"), "x")
            assert again.resolved() == study.resolved()
            assert again.digest() == study.digest()


def dumped(content: object) -> bytes | None:
    try:
        return yaml.safe_dump(content, allow_unicode=True, sort_keys=False).encode()
    except (yaml.YAMLError, UnicodeEncodeError):
        return None  # PyYAML cannot write all of Unicode


words = st.sampled_from(
    [
        *(
            "cs_kd",
            "digits",
            "preact_resnet10",
            "gp",
            "grid",
            "tpe",
            "asha",
            "none",
            "auto",
            "full",
            "training",
            "seed",
        ),
        *("1e-3", "1e400", "nan", "-inf", "0x10", "1_000", "on", "null", "~", "", "x:Y", "os:system", "validation/nll"),
        *("../x", "/abs", "a\x1b[31m", "a\nb", "a\0b", "a\u2028b", "\ud800", "{{7*7}}", "<script>", 3000 * "x"),
        *("sqlite:///x", "http://[", "http://a:b@c", "http://a:99999"),
    ]
)
numbers = (
    st.sampled_from(
        [0, -0.0, -1, 1, 2, 0.5, 1e-300, 5e-324, 1e300, -1e308, 1e16, 2**31, 2**63, 2**64, 10**30, 10**400, -(10**400)]
    )
    | st.floats()
)
scalars = st.one_of(
    *(st.none(), st.booleans(), st.integers(-3, 5), numbers, words, st.text(max_size=5), st.binary(max_size=3)),
    st.sampled_from([datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)]),
)
spaces = st.fixed_dictionaries(
    {},
    optional={
        "low": scalars,
        "high": scalars,
        "step": scalars,
        "log": scalars,
        "choices": st.lists(scalars, max_size=4),
    },
)
keys = st.sampled_from(["name", "low", "high", "choices", "step", "log", "method", "training", "temperature", "lr"])
junk = st.recursive(
    scalars | spaces,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(keys | words | st.text(max_size=3), below, max_size=4),
    max_leaves=6,
)


def paths_of(value: object, path: tuple = ()) -> list[tuple]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(found for key, item in below for found in paths_of(item, (*path, key)))]


@st.composite
def mutations(draw: st.DrawFn) -> dict:
    """Draws the toy study file with a few keys replaced, dropped or added."""
    content = copy.deepcopy(TOY)
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from(paths_of(content)))
        place = content
        for parent in parents:
            place = place[parent]
        action = draw(st.sampled_from(["put", "put", "drop", "add"]))
        if action == "put":
            place[last] = draw(junk)
        elif action == "drop":
            del place[last]
        elif isinstance(place, dict):
            place[draw(keys | words)] = draw(junk)
        if not content:
            break
    return content


PIECES = [*"{}[]:,-?&*!#|>'\"%@ \n\tab01._~=<", "!!", ": ", "- ", "? ", "<<: ", "&a ", "*a", "name: ", "training:\n  "]
grammar = st.lists(st.sampled_from(PIECES)).map(lambda chosen: "".join(chosen).encode())


@given(st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "replace")) | grammar)
@settings(max_examples=EXAMPLES)
def test_any_bytes(content: bytes) -> None:
    check(content)


@given(st.integers(0, len(STUDY) - 1), st.integers(0, 20), st.binary(max_size=4) | grammar)
@settings(max_examples=EXAMPLES)
def test_any_damage_to_a_valid_file(place: int, removed: int, inserted: bytes) -> None:
    check(STUDY.encode()[:place] + inserted + STUDY.encode()[place + removed :])


@given(junk | st.dictionaries(st.sampled_from(list(TOY)) | scalars, junk, max_size=6))
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
def test_any_structure(content: object) -> None:
    text = dumped(content)
    if text is not None:
        check(text)


@given(mutations())
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@example(TOY | {"search": {"space": {"temperature": {"low": 1, "high": 10**400}}}})
@example(TOY | {"search": {"space": {"temperature": {"low": 5e-324, "high": 1e308, "step": 5e-324}}}})
def test_any_edit_of_a_valid_file(content: dict) -> None:
    text = dumped(content)
    if text is not None:
        check(text)
