"""Pins exclude versions with known vulnerabilities, and an audit without a look-up does not pass."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.audit.__main__ import PINS, ROOT, UNAVAILABLE, VULNERABLE, judge

FLOORS = {"ray": "2.54", "mlflow": "3.11", "torch": "2.10"}  # older versions have relevant vulnerabilities
GOOD = {"dependencies": [{"name": "ray", "version": "2.60.0", "vulns": []}]}
BAD = {
    "dependencies": [
        {
            "name": "jinja2",
            "version": "2.10",
            "vulns": [{"id": "PYSEC-2019-217", "aliases": [], "fix_versions": ["2.10.1"]}],
        }
    ]
}
UNKNOWN = {"dependencies": [{"name": "ray", "skip_reason": "Dependency not found"}]}


def pins(path: Path = PINS) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!-]+", line) for line in lines)
    return dict(line.lower().replace("_", "-").split("==") for line in lines)


@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_pins_and_ranges_exclude_vulnerable_versions(name: str, floor: str) -> None:
    assert Version(pins()[name]) >= Version(floor)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [Requirement(text) for text in project["dependencies"]]
    (requirement,) = [each for each in requirements if each.name == name]
    assert not requirement.specifier.contains(f"{int(floor[0])}.{int(floor[2:]) - 1}")


def test_every_dependency_is_pinned_to_a_version_that_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [text for texts in project["optional-dependencies"].values() for text in texts]
    for each in map(Requirement, [*project["dependencies"], *extras]):
        if each.name != project["name"]:
            assert each.specifier.contains(pins()[each.name.lower().replace("_", "-")]), each


def test_the_tools_are_pinned() -> None:
    assert {"pip-audit", "cyclonedx-bom"} <= pins(Path(__file__).with_name("tools.txt")).keys()


@pytest.mark.parametrize(
    ("report", "vulnerable", "code", "says"),
    [
        (GOOD, BAD, 0, "no known vulnerability in 1 pinned versions"),
        (BAD, BAD, 1, "jinja2 2.10: PYSEC-2019-217 (no other name); fixed in 2.10.1"),
        (BAD, "no network", UNAVAILABLE, "is not available: no network"),
        ("no network", "no network", UNAVAILABLE, "is not available: no network"),
        (UNKNOWN, BAD, UNAVAILABLE, "does not know 1 of 1 packages, such as ray"),
        (GOOD, GOOD, UNAVAILABLE, f"knows no vulnerability of {VULNERABLE}"),
    ],
)
def test_only_a_successful_look_up_without_vulnerabilities_passes(report, vulnerable, code: int, says: str) -> None:
    found, lines = judge(report, vulnerable)
    assert found == code
    assert says in lines[0]
