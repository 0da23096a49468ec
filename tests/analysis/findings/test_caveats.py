"""Tests of the caveats of a study."""

from analysis.findings.caveats import caveats


def test_a_sound_study_has_only_the_caveat_of_few_trials(load, content) -> None:
    assert caveats(load(content)) == ("Few search trials completed for this space: 7; 16 or more are better.",)


def test_a_winner_at_an_edge_gets_a_wider_range_to_search(load, content) -> None:
    content["study"]["arms"]["search/7"]["config"]["method"]["temperature"] = 15.8
    assert caveats(load(content))[0] == (
        "search/7 lies at the upper end of the searched range of T; better values may lie beyond it. "
        "To check, run a study with temperature: {low: 0.5, high: 38.05, log: true}."
    )


def test_early_stopping_before_the_learning_rate_drops(load, content) -> None:
    content["study"]["config"]["search"] = {"scheduler": {"name": "asha", "grace": 0.1}}
    assert any("before the learning rate drops at 0.5" in line for line in caveats(load(content)))
    content["study"]["config"]["search"]["scheduler"]["grace"] = 0.6
    assert not any("learning rate" in line for line in caveats(load(content)))


def test_a_winner_without_neighbours(load, content) -> None:
    for row in content["trials"]:
        if row["phase"] == "search" and row["trial"] != 7:
            row["params/temperature"] = 0.6 if row["params/temperature"] > 3 else 15.0
    content["study"]["arms"]["search/7"]["config"]["method"]["temperature"] = 3.0
    next(row for row in content["trials"] if (row["phase"], row["trial"]) == ("search", 7))["params/temperature"] = 3.0
    assert any("around search/7, no other trial completed" in line for line in caveats(load(content)))


def test_failures_on_one_side_of_a_range_are_located(load, content) -> None:
    rows = sorted((r for r in content["trials"] if r["phase"] == "search"), key=lambda r: r["params/lambda_cls"])
    for row in rows[-2:]:
        row["state"] = "FAIL"
    text = " ".join(caveats(load(content)))
    assert f"all with λ_cls of {rows[-2]['params/lambda_cls']:.3g} or more, where none completed" in text
    rows[0]["state"] = "FAIL"
    assert "where none completed" not in " ".join(caveats(load(content)))


def test_failures_single_seeds_and_missing_controls(load, content) -> None:
    content["trials"][0]["state"] = content["trials"][1]["state"] = "FAIL"
    content["confirmations"] = [run for run in content["confirmations"] if run["seed"] == 11]
    content["study"]["baseline"] = None
    text = " ".join(caveats(load(content)))
    assert "2 search trials of 8 failed" in text
    assert "One fresh seed allows no test" in text
    assert "no cross-entropy control" in text
