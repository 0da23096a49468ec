"""Tests the pairs, levels and positions of contour lines."""

from dataclasses import replace

from analysis.drawing.rendering import render
from analysis.drawing.style import styled
from analysis.plots import contours


def test_every_pair_has_lines_inside_its_axes(load, searched) -> None:
    data = contours.collect(load(searched))
    assert [(x.name, y.name) for x, y in data.pairs] == [
        ("temperature", "lambda_cls"),
        ("temperature", "lambda_e"),
        ("lambda_cls", "lambda_e"),
    ]
    for (x, y), lines in zip(data.pairs, data.lines, strict=True):
        assert lines["x"].between(x.low, x.high).all()
        assert lines["y"].between(y.low, y.high).all()
        assert set(lines["level"]) <= set(data.levels)
    assert len(data.points) == 40


def test_lines_of_the_ridge_fall_as_the_weight_rises(load, searched) -> None:
    data = contours.collect(load(searched))
    lines = data.lines[0]
    below_four = lines[(lines["x"] < 3) & (lines["y"] < 1)]
    slopes = [
        group["x"].corr(group["y"], method="spearman") for _, group in below_four.groupby("line") if len(group) > 4
    ]
    assert slopes
    assert max(slopes) < -0.9


def test_a_pair_without_lines_shows_its_points(load, searched) -> None:
    data = contours.collect(load(searched))
    some = replace(data, lines=(data.lines[0], data.lines[1].iloc[:0], data.lines[2]))
    assert render(styled(contours.draw(some))).png
    spec = contours.draw(some).to_dict()
    assert [("layer" in panel) for panel in spec["concat"]] == [True, False, True]


def test_a_flat_surface_has_no_lines_and_no_figure(load, searched) -> None:
    searched["trials"] = [trial | {"validation/top1_error": 0.25} for trial in searched["trials"]]
    assert contours.collect(load(searched)) is None


def test_one_parameter_has_no_figure(load, content, searched) -> None:
    searched["study"]["distributions"] = {"temperature": {"low": 0.5, "high": 16.0, "log": True}}
    assert contours.collect(load(searched)) is None
