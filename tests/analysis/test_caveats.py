"""What weakens a study is said, and nothing where there is nothing to say."""

import pytest

from analysis.best_config import collect
from analysis.caveats import at_edges, caveats


def test_a_sound_study_has_few(load, content) -> None:
    assert caveats(load(content)) == ("7 completed search trials are few for this space; 16 would be little.",)


@pytest.mark.parametrize(
    ("temperature", "edges"), [(4.0, ()), (16.0, ("T = 16",)), (15.8, ("T = 15.8",)), (0.5, ("T = 0.5",)), (14.0, ())]
)
def test_edges_of_a_range(load, content, temperature, edges) -> None:
    content["study"]["arms"]["search/7"]["config"]["method"]["temperature"] = temperature
    results = load(content)
    assert at_edges(results, collect(results).arms[0]) == edges
    assert any("edge of the space" in line for line in caveats(results)) == bool(edges)


def test_choices_have_no_edges(load, content) -> None:
    content["study"]["distributions"]["temperature"] = {"choices": [1, 4]}
    content["study"]["arms"]["search/7"]["config"]["method"]["temperature"] = 4
    results = load(content)
    assert at_edges(results, collect(results).arms[0]) == ()


def test_early_stopping_before_the_learning_rate_falls(load, content) -> None:
    content["study"]["config"]["search"] = {"scheduler": {"name": "asha", "grace": 0.1}}
    assert any("before the learning rate falls at 0.5" in line for line in caveats(load(content)))
    content["study"]["config"]["search"]["scheduler"]["grace"] = 0.6
    assert not any("learning rate" in line for line in caveats(load(content)))


def test_failures_single_seeds_and_missing_controls(load, content) -> None:
    content["trials"][0]["state"] = content["trials"][1]["state"] = "FAIL"
    content["confirmations"] = [run for run in content["confirmations"] if run["seed"] == 11]
    content["study"]["baseline"] = None
    said = " ".join(caveats(load(content)))
    assert "2 search trials of 8 failed" in said
    assert "One fresh seed says nothing" in said
    assert "no cross-entropy control" in said
