from xml.etree import ElementTree

import altair as alt
import pandas as pd
import pytest

from analysis.drawing import rendering, style


def chart(title: str = "x") -> alt.Chart:
    data = style.inline(pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 3.0], "z": [0.5, 0.7]}))
    point = alt.Chart(data).mark_point(clip=True)
    return style.styled(point.encode(x=alt.X("x:Q", title=title), y="y:Q", color="z:Q"))


def test_a_chart_becomes_svg_png_and_a_specification_without_urls() -> None:
    found = rendering.render(chart())
    assert ElementTree.fromstring(found.svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert found.png.startswith(b"\x89PNG")
    assert "http" not in str(found.spec)


def test_the_same_chart_is_the_same_bytes() -> None:
    assert rendering.render(chart()) == rendering.render(chart())


def test_text_in_a_title_stays_text() -> None:
    title = "<script>alert(1)</script> & \"quotes\" 'too'"
    texts = [element.text for element in ElementTree.fromstring(rendering.render(chart(title)).svg).iter()]
    assert title in texts


def test_the_script_sets_vega_embed() -> None:
    assert "window.vegaEmbed" in rendering.javascript()


def test_the_script_is_the_same_without_a_subprocess(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = rendering.javascript()
    monkeypatch.setattr(rendering, "begin_javascript", lambda: None)
    assert rendering.javascript.__wrapped__() == bundle
