"""What weakens a study is said, and nothing where there is nothing to say."""

from analysis.findings.caveats import caveats


def test_a_sound_study_has_few(load, content) -> None:
    assert caveats(load(content)) == ("7 completed search trials are few for this space; 16 or more are better.",)


def test_a_winner_at_an_edge_is_told_how_to_search_on(load, content) -> None:
    content["study"]["arms"]["search/7"]["config"]["method"]["temperature"] = 15.8
    assert caveats(load(content))[0] == (
        "search/7 lies at the upper end of what was searched of T: better values may lie beyond; a study of "
        "temperature: {low: 0.5, high: 38.05, log: true} would tell."
    )


def test_early_stopping_before_the_learning_rate_falls(load, content) -> None:
    content["study"]["config"]["search"] = {"scheduler": {"name": "asha", "grace": 0.1}}
    assert any("before the learning rate falls at 0.5" in line for line in caveats(load(content)))
    content["study"]["config"]["search"]["scheduler"]["grace"] = 0.6
    assert not any("learning rate" in line for line in caveats(load(content)))


def test_a_winner_that_stands_alone(load, content) -> None:
    for row in content["trials"]:
        if row["phase"] == "search" and row["trial"] != 7:
            row["params/temperature"] = 0.6 if row["params/temperature"] > 3 else 15.0
    content["study"]["arms"]["search/7"]["config"]["method"]["temperature"] = 3.0
    next(row for row in content["trials"] if (row["phase"], row["trial"]) == ("search", 7))["params/temperature"] = 3.0
    assert any("around search/7 no other trial completed" in line for line in caveats(load(content)))


def test_failures_on_one_side_of_a_range_say_where(load, content) -> None:
    rows = sorted((r for r in content["trials"] if r["phase"] == "search"), key=lambda r: r["params/lambda_cls"])
    for row in rows[-2:]:
        row["state"] = "FAIL"
    said = " ".join(caveats(load(content)))
    assert f"all with λ_cls of {rows[-2]['params/lambda_cls']:.3g} or more, where none completed" in said
    rows[0]["state"] = "FAIL"
    assert "where none completed" not in " ".join(caveats(load(content)))


def test_failures_single_seeds_and_missing_controls(load, content) -> None:
    content["trials"][0]["state"] = content["trials"][1]["state"] = "FAIL"
    content["confirmations"] = [run for run in content["confirmations"] if run["seed"] == 11]
    content["study"]["baseline"] = None
    said = " ".join(caveats(load(content)))
    assert "2 search trials of 8 failed" in said
    assert "One fresh seed says nothing" in said
    assert "no cross-entropy control" in said
