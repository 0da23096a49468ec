"""Result files with any content are read or rejected with one line; a report can show what is read."""

import copy
import json
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analysis.findings import best_config, best_config_table, caveats
from analysis.paper import cells
from analysis.records import result_files
from analysis.records.result_files import Results, ResultsError
from analysis.report import appendix, summary
from analysis.tables import table as tables

pytestmark = [pytest.mark.bad_input(40), pytest.mark.filterwarnings("ignore::RuntimeWarning")]  # from infinite values
EXAMPLES = int(os.environ.get("CSKD_EXAMPLES", "30"))
FILES = ["trials.parquet", "epochs.parquet", "confirmations.parquet", "study.json"]
few = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def good(_content: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of valid result files; a test restores the files that it changes."""
    folder = tmp_path_factory.mktemp("study") / "results"
    result_files.write(folder, **_content)
    return folder


def show(results: Results) -> None:
    """Renders the text and tables of a report."""
    tables.to_text(best_config_table.best_config_table(best_config.collect(results)), 80)
    for section in (summary.setup, summary.findings, summary.protocol, caveats.caveats, appendix.trials_table):
        section(results)
    cells.collect([results])


def read(folder: Path) -> None:
    """Reads and renders the results; asserts that an error is a ``ResultsError`` of one line."""
    message = None
    try:
        show(result_files.read(folder))
    except ResultsError as error:
        message = str(error)
    assert message is None or (
        len(message.splitlines()) == 1 and (str(folder) in message or "no search trial" in message)
    )


def read_replaced(folder: Path, name: str, content: bytes) -> None:
    """Reads the results with other content in one file, then restores the file."""
    whole = (folder / name).read_bytes()
    try:
        (folder / name).write_bytes(content)
        read(folder)
    finally:
        (folder / name).write_bytes(whole)


@few
@given(
    name=st.sampled_from(FILES), content=st.binary(max_size=100) | st.sampled_from([b"PAR1PAR1", b"PAR1" * 20, b"{"])
)
def test_any_bytes(good: Path, name: str, content: bytes) -> None:
    read_replaced(good, name, content)


@settings(few, max_examples=EXAMPLES // 2)
@given(name=st.sampled_from(FILES), place=st.floats(0, 1), removed=st.integers(0, 50), inserted=st.binary(max_size=8))
def test_any_damage(good: Path, name: str, place: float, removed: int, inserted: bytes) -> None:
    whole = (good / name).read_bytes()
    start = int(place * len(whole))
    read_replaced(good, name, whole[:start] + inserted + whole[start + removed :])


columns = st.dictionaries(
    st.sampled_from(
        ["study", "phase", "trial", "state", "epoch", "arm", "seed", "params/x", "validation/nll", "", "a/b"]
    ),
    st.sampled_from([[], [None], [1], [-1.5], ["x"], [b"x"], [[1]], [{"a": 1}], [True]]),
    max_size=4,
)


@few
@given(name=st.sampled_from(FILES[:3]), more=columns, kept=st.integers(0, 18), marked=st.booleans())
def test_any_other_table(good: Path, name: str, more: dict[str, list[Any]], kept: int, marked: bool) -> None:
    """The table may carry the project's metadata; columns are missing, added or have another type."""
    table = pq.read_table(good / name)
    marks = table.schema.metadata if marked else {}
    made = table.select(table.column_names[:kept]).slice(0, 1)
    for column, values in more.items():
        made = made.drop_columns(column) if column in made.column_names else made
        if not made.column_names:
            made = pa.table({column: values})
        elif len(values) == made.num_rows:
            made = made.append_column(column, pa.array(values))
    digest = result_files._shape_digest(made)
    sink = pa.BufferOutputStream()
    pq.write_table(made.replace_schema_metadata(marks | {b"cskd.shape": digest.encode()}), sink)
    read_replaced(good, name, bytes(sink.getvalue()))


values = st.sampled_from(
    [None, math.nan, math.inf, -math.inf, -1, 0, 1e308, 2**40, "", "<b>", "search/99", "RUNNING", True]
)


class Small(NamedTuple):
    """Study with few epochs and a short ``repr`` for Hypothesis."""

    content: dict[str, Any]

    def __repr__(self) -> str:
        return "small"


@pytest.fixture(scope="module")
def small(_content: dict[str, Any]) -> Small:
    return Small(_content | {"epochs": _content["epochs"][:20]})


@st.composite
def edits(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Draws changes of table cells, in one row or in all rows."""
    one = st.tuples(
        st.sampled_from(["trials", "epochs", "confirmations"]), st.integers(0, 50), st.integers(0, 30), values
    )
    return draw(st.lists(one, min_size=1, max_size=4))


@settings(few, max_examples=EXAMPLES // 3)
@example(changes=[("trials", 0, 14, "")], cut=0)  # a text in place of a searched number
@given(changes=edits(), cut=st.integers(0, 20))
def test_any_values(small: Small, tmp_path: Path, changes: list[tuple[Any, ...]], cut: int) -> None:
    content = copy.deepcopy(small.content)
    content["confirmations"] = content["confirmations"][:cut]
    for name, row, column, value in changes:
        rows = content[name]
        if rows:
            names = list(rows[0])
            for changed in rows if row > 40 else [rows[row % len(rows)]]:
                changed[names[column % len(names)]] = value
    try:
        result_files.write(tmp_path, **content)
    except (ValueError, TypeError, OverflowError):  # the value does not fit the column
        return
    read(tmp_path)


@pytest.mark.parametrize("content", ["null", "[]", '"text"', json.dumps({"schema": [1]}), json.dumps({"schema": None})])
def test_any_other_json(good: Path, content: str) -> None:
    read_replaced(good, "study.json", content.encode())
