"""GPU machines come with their own image: the trainer and its tests must do without our other libraries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MISSING = ("ray", "optuna", "mlflow", "altair", "vl_convert", "jinja2", "hypothesis", "playwright", "yaml", "rich")


@pytest.mark.slow
def test_gpu_tests_are_collected_without_ray_optuna_mlflow_and_plug_ins() -> None:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({MISSING!r}))\n"  # importing any of them fails
        "import pytest; sys.exit(pytest.main(['tests/gpu', '-q', '-p', 'no:cacheprovider']))"
    )
    bare = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout or "skipped" in done.stdout
