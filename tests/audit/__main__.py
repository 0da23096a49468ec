"""``make audit``: looks up known vulnerabilities of the pinned versions and writes a software bill of materials.

Exit codes: 0, every pinned version was looked up and has no known vulnerability; 1, a version is vulnerable; 69, the
look-up failed. Runs in the environment of ``tools.txt``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PINS = ROOT / "constraints.txt"
OUT = ROOT / "build" / "audit"
VULNERABLE = "jinja2==2.10"  # CVE-2019-10906 and others: a service that does not know these is of no use
UNAVAILABLE = 69

Report = dict[str, Any]


def look_up(pins: Path) -> Report | str:
    """Returns pip-audit's report on exact pins, or an error line if the look-up failed."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.json"
        options = ["--requirement", str(pins), "--no-deps", "--disable-pip", "--format", "json", "--output", str(out)]
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", *options, "--progress-spinner", "off", "--timeout", "15"],
            capture_output=True,
            text=True,
            check=False,
        )
        if out.exists():
            return json.loads(out.read_text())
        return next(iter(done.stderr.strip().splitlines()[-1:]), f"pip-audit ended with {done.returncode}")


def look_up_vulnerable() -> Report | str:
    """Returns the report on a version that is known to be vulnerable."""
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "vulnerable.txt"
        pins.write_text(f"{VULNERABLE}\n")
        return look_up(pins)


def vulnerabilities(report: Report) -> list[str]:
    """Returns a line for each known vulnerability."""
    return [
        f"{found['name']} {found['version']}: {each['id']} ({', '.join(each['aliases']) or 'no other name'}); "
        f"fixed in {', '.join(each['fix_versions']) or 'nothing yet'}"
        for found in report["dependencies"]
        for each in found.get("vulns", ())
    ]


def judge(report: Report | str, vulnerable: Report | str) -> tuple[int, list[str]]:
    """Returns the exit code and the lines to print.

    Args:
        report: Report on the pinned versions.
        vulnerable: Report on a version that is known to be vulnerable.
    """
    for found in (report, vulnerable):
        if isinstance(found, str):
            return UNAVAILABLE, [f"not audited: the vulnerability service is not available: {found[:300]}"]
    assert not isinstance(report, str)
    assert not isinstance(vulnerable, str)
    if lines := vulnerabilities(report):
        return 1, [*lines, f"{len(lines)} known vulnerabilities: raise the pins in constraints.txt"]
    skipped = [found["name"] for found in report["dependencies"] if "skip_reason" in found]
    count = len(report["dependencies"])
    if skipped:
        return UNAVAILABLE, [
            f"not audited: the service does not know {len(skipped)} of {count} packages, such as {skipped[0]}"
        ]
    if not vulnerabilities(vulnerable):
        return UNAVAILABLE, [f"not audited: the service knows no vulnerability of {VULNERABLE}, which has some"]
    return 0, [f"no known vulnerability in {count} pinned versions"]


def write_bill_of_materials(python: Path, out: Path) -> int:
    """Writes the installed packages and their licences as CycloneDX JSON; returns the number of components."""
    options = ["environment", str(python), "--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible"]
    command = [sys.executable, "-m", "cyclonedx_py", *options, "--output-format", "JSON", "--output-file", str(out)]
    subprocess.run(command, check=True)
    return len(json.loads(out.read_text())["components"])


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    bill = OUT / "sbom.cdx.json"
    print(f"{bill.relative_to(ROOT)}: {write_bill_of_materials(Path(sys.argv[1]), bill)} components", flush=True)
    report = look_up(PINS)
    code, lines = judge(report, look_up_vulnerable())
    (OUT / "vulnerabilities.json").write_text(json.dumps({"code": code, "said": lines, "report": report}, indent=1))
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
