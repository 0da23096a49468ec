"""Takes a study's results over as evidence: ``python -m tests.evidence.collect DIR``.

What says where it ran (host, folders in the command line) is replaced, and the files are written anew with their
checksums; values are not touched. Tables that need the predictions are kept as the report wrote them, and so is the
figure of the arms, among the manual's pictures.
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


def without_place(value: Any) -> Any:
    """A value without the machine's name and folders."""
    if isinstance(value, dict):
        return {key: "machine" if key == "host" else without_place(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_place(item) for item in value]
    return re.sub(r"/\S+", "DIR", value) if isinstance(value, str) else value


def collect(directory: Path) -> Path:
    """Copies a study's results.

    Returns:
        Their folder here.
    """
    target = HERE / directory.name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(directory / "results", target / "results")
    path = target / "results" / "study.json"
    study = json.loads(path.read_text())
    del study["checksum"]
    study |= {key: without_place(study[key]) for key in LINES_WITH_HOSTS}
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
