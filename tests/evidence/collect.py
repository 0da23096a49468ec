"""Copies a study's results to the evidence: ``python -m tests.evidence.collect DIR``.

Host names and folders are replaced, and ``study.json`` gets a new checksum; values are not changed. Tables that need
the predictions are copied from the report, and its figure of the arms is copied to the manual's images.
"""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from analysis.findings import best_config, best_config_table
from analysis.records import result_files
from analysis.tables import files
from trainables.files.durable import digest_of

HERE = Path(__file__).parent
PICTURES = HERE.parents[1] / "docs" / "images"
TABLES = ("against_baseline.md", "calibration.md")
LINES_WITH_HOSTS = ("provenance", "ledger")


def anonymised(value: Any) -> Any:
    """Returns a value without host names and folders."""
    if isinstance(value, dict):
        return {key: "machine" if key == "host" else anonymised(item) for key, item in value.items()}
    if isinstance(value, list):
        return [anonymised(item) for item in value]
    return re.sub(r"/\S+", "DIR", value) if isinstance(value, str) else value


def collect(directory: Path) -> Path:
    """Copies a study's results; returns the folder of the copy."""
    target = HERE / directory.name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(directory / "results", target / "results")
    path = target / "results" / "study.json"
    study = json.loads(path.read_text())
    del study["checksum"]
    study |= {key: anonymised(study[key]) for key in LINES_WITH_HOSTS}
    path.write_text(json.dumps(study | {"checksum": digest_of(study)}, indent=2))
    found = best_config_table.best_config_table(best_config.collect(result_files.read(target / "results")))
    (target / "best_config.md").write_text(files.content(found, "md"))
    shutil.copy(directory / "study.yaml", target)
    shutil.copy(directory / "report" / "arms.svg", PICTURES / f"evidence_{directory.name}.svg")
    for name in TABLES:
        if (directory / "report" / name).exists():
            shutil.copy(directory / "report" / name, target)
    return target


if __name__ == "__main__":
    for word in sys.argv[1:]:
        print(collect(Path(word)))
