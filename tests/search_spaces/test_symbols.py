import re

import pytest

from search_spaces.symbols import SYMBOLS, Symbol, symbol


@pytest.mark.parametrize(
    ("name", "text"), [("temperature", "T"), ("lambda_cls", "λ_cls"), ("lambda_e", "λ_E"), ("epsilon", "ε")]
)
def test_symbols_match_the_paper(name: str, text: str) -> None:
    assert symbol(name).text == text


def test_symbols_are_unique() -> None:
    assert len({one.text for one in SYMBOLS.values()}) == len(SYMBOLS)
    assert len({one.tex for one in SYMBOLS.values()}) == len(SYMBOLS)


@pytest.mark.parametrize("name", [*SYMBOLS, "my_own_weight"])
def test_tex_is_balanced_and_without_dollars(name: str) -> None:
    tex = symbol(name).tex
    assert tex.count("{") == tex.count("}")
    assert "$" not in tex
    assert not re.search(r"(?<!\\|[}\w])_", tex)


def test_an_unknown_parameter_gets_its_name_as_symbol() -> None:
    assert symbol("width") == Symbol(r"\mathrm{width}", "width", "")
