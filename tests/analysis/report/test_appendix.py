from typing import Any

from analysis.report import appendix


def column(table: Any, name: str) -> list[Any]:
    return [row[table.columns.index(name)] for row in table.rows]


def test_one_row_per_run_search_first(load: Any, content: dict[str, Any]) -> None:
    content["trials"][5]["error"] = "stopped\nby the scheduler"
    table = appendix.trials_table(load(content))
    assert column(table, "run")[:9] == [*(f"search/{n}" for n in range(8)), "controls/0"]
    assert len(table.rows) == 8 + 2 + 15
    assert column(table, "state")[:8] == ["completed"] * 5 + ["pruned"] + ["completed"] * 2
    assert column(table, "T")[:3] == [0.7, 1.0, 4.0]
    assert column(table, "validation top-1 error, %")[0] == "26.20"
    assert column(table, "validation top-1 error, %")[5] is None
    assert column(table, "test top-1 error, %")[-1] is not None
    assert column(table, "error")[5] == "stopped\nby the scheduler"
    assert column(table, "arm")[10] == "search/7"


def test_columns_without_a_value_are_left_out(load: Any, unconfirmed: dict[str, Any]) -> None:
    table = appendix.trials_table(load(unconfirmed))
    assert not {"arm", "error", "test top-1 error, %"} & set(table.columns)
    assert appendix.trials_table(load(unconfirmed | {"trials": []})).rows == ()


def test_long_errors_are_cut(load: Any, content: dict[str, Any]) -> None:
    content["trials"][0]["error"] = "x" * 10_000
    error = column(appendix.trials_table(load(content)), "error")[0]
    assert error.endswith("… (10000 characters)")
    assert len(error) < 330


def test_the_ledger_in_order(load: Any, content: dict[str, Any]) -> None:
    lines = [
        {"time": 1.7e9 + n, "arm": f"search/{n}", "seed": n, "trial": n, "attempt": 1, "images": 9} for n in (2, 1)
    ]
    content["study"]["ledger"] = lines
    table = appendix.ledger_table(load(content))
    assert column(table, "time (UTC)") == ["2023-11-14 22:13:22", "2023-11-14 22:13:21"]
    assert column(table, "arm") == ["search/2", "search/1"]
    assert column(table, "host") == [None, None]


def test_launches_and_versions(load: Any, content: dict[str, Any]) -> None:
    def line(time: float, action: str, torch: str, allowed: list[str]) -> dict[str, Any]:
        return {
            "time": time,
            "action": action,
            "command": f"cskd {action} x",
            "commit": "0123456789abcdef0123+changes",
            "versions": {"torch": torch, "ray": "2"},
            "digests": {"code": "abcd"},
            "allowed": allowed,
        }

    content["study"]["provenance"] = [
        line(0.0, "launch", "2.10", []),
        line(10.0, "resume", "2.10", []),
        line(20.0, "resume", "2.13", ["torch", "code"]),
    ]
    results = load(content)
    launches, versions = appendix.launches_table(results), appendix.versions_table(results)
    assert column(launches, "command") == ["cskd launch x", "cskd resume x", "cskd resume x"]
    assert column(launches, "commit") == ["0123456789ab + changes"] * 3
    assert column(launches, "allowed changes") == [None, None, "torch, code"]
    assert versions.columns == ("library", "1970-01-01 00:00:00", "1970-01-01 00:00:20")
    assert versions.rows == (("torch", "2.10", "2.13"), ("ray", "2", "2"))


def test_a_study_without_provenance(load: Any, content: dict[str, Any]) -> None:
    results = load(content)
    assert appendix.launches_table(results).rows == ()
    assert appendix.versions_table(results).rows == ()
    assert appendix.digests_table(results).rows == (("split", "0123456789abcdef"),)
