"""Tests the exit codes and messages of errors."""

from pathlib import Path

import pytest

from study.commands.exit_codes import INTERNAL, code_and_lines
from tests.kit.inputs.own_part import error_of_own_part


def test_an_error_in_a_user_defined_part_names_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = error_of_own_part(tmp_path, monkeypatch, "own_method_of_errors_test")
    code, (line,) = code_and_lines(own)
    place = f"{tmp_path}/own_method_of_errors_test.py:4"
    assert (code, line) == (INTERNAL, f"{place}: KeyError: 'typo'; this part is user-defined, see the lines above")
    with pytest.raises(KeyError) as internal:
        {}["typo"]
    assert code_and_lines(internal.value)[1][0].startswith("internal error: KeyError: 'typo'; please report it")
