"""GPU machines come with their own image: the trainer and its tests must do without our other libraries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MISSING = ("ray", "optuna", "mlflow", "altair", "vl_convert", "jinja2", "hypothesis", "playwright", "yaml", "rich")


def bare(code: str) -> str:
    """What a program prints where importing any of those fails."""
    start = f"import sys; sys.modules.update(dict.fromkeys({MISSING!r}))\n"
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    words = [sys.executable, "-c", start + code]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_gpu_tests_are_collected_without_ray_optuna_mlflow_and_plug_ins() -> None:
    said = bare("import pytest; sys.exit(pytest.main(['tests/gpu', '-q', '-p', 'no:cacheprovider']))")
    assert "passed" in said or "skipped" in said


@pytest.mark.slow
def test_gpu_benchmarks_start_without_ray_optuna_and_mlflow() -> None:
    said = bare(
        "import runpy; sys.argv[1:] = ['--gpu', '--list']; runpy.run_module('tests.benchmarks', run_name='__main__')"
    )
    assert [line.split()[0] for line in said.splitlines()] == ["gpu_step", "gpu_epoch", "gpu_waits", "gpu_packing"]
