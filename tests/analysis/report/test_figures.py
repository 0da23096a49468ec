"""Tests that hold for every figure."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from analysis import plots
from analysis.drawing import rendering
from analysis.report import figures

NAMES = sorted(path.stem for path in Path(plots.__path__[0]).glob("*.py") if path.stem != "__init__")


def test_every_module_of_plots_is_a_figure() -> None:
    assert sorted(figures.available()) == NAMES
    assert list(figures.available())[:2] == ["landscape", "contours"]


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_mirrored_test(name: str) -> None:
    assert (Path(__file__).parents[1] / "plots" / f"test_{name}.py").exists()


@pytest.mark.slow
def test_a_confirmed_study_has_all_figures_and_they_fit_the_schema(
    load: Any, searched: dict[str, Any], predictions_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "unchecked", nullcontext)  # so that Altair validates them against the schema
    predictions_of(tmp_path, searched, ("bird",) * 5 + ("dog",) * 5)
    drawn = figures.draw_all(load(searched))
    assert sorted(figure.name for figure in drawn) == NAMES
    for figure in drawn:
        assert ElementTree.fromstring(figure.rendered.svg).tag.endswith("svg")
        assert figure.caption.endswith(".")
        assert figure.title


def test_several_studies_share_the_figures_of_predictions(
    load: Any, content: dict[str, Any], with_predictions: Any
) -> None:
    results = load(content)
    names = [figure.name for figure in figures.draw_compared([results, results])]
    assert {"distribution", "reliability", "log_probabilities", "softmax_scores", "embedding"} == set(names)


def test_a_study_without_trials_has_no_figures(load: Any, unconfirmed: dict[str, Any]) -> None:
    assert figures.draw_all(load(unconfirmed | {"trials": [], "epochs": []})) == ()


@pytest.mark.slow
def test_hostile_names_are_drawn_as_text(load: Any, hostile: dict[str, Any], with_predictions: Any) -> None:
    for figure in figures.draw_all(load(hostile)):
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(figure.rendered.svg).iter()}
        assert not tags & {"script", "image", "foreignObject", "a"}, figure.name
