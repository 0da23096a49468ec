"""Analysis works without PyTorch, Ray and MLflow: it only needs the result files."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analysis.records import result_files

ABSENT = ("torch", "torchvision", "ray", "mlflow")
SCRIPT = f"""
import importlib, pkgutil, sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import analysis
for module in pkgutil.walk_packages(analysis.__path__, "analysis."):
    importlib.import_module(module.name)
from analysis.findings import export
from analysis.records import result_files as records
from analysis.report import study_report as report
folder = Path(sys.argv[1])
results = records.read(folder / "results")
(folder / "page.html").write_text(report.html(results, ()), encoding="utf-8")
print(export.of_study(results, "args"))
"""


@pytest.mark.slow
def test_tables_report_and_export_need_no_training_library(
    content: dict[str, Any], with_predictions: Any, tmp_path: Path
) -> None:
    result_files.write(tmp_path / "results", **content)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("--dataset cifar100")
    assert "Calibration" in (tmp_path / "page.html").read_text(encoding="utf-8")
