"""The trainer and its GPU tests run without the study's libraries, which images of GPU machines may lack."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MISSING = ("ray", "optuna", "mlflow", "altair", "vl_convert", "jinja2", "hypothesis", "playwright", "yaml", "rich")


def bare(code: str) -> str:
    """Returns the output of a program for which importing any of ``MISSING`` fails."""
    start = f"import sys; sys.modules.update(dict.fromkeys({MISSING!r}))\n"
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-c", start + code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_gpu_tests_are_collected_without_ray_optuna_mlflow_and_plug_ins() -> None:
    output = bare("import pytest; sys.exit(pytest.main(['tests/gpu', '-q', '-p', 'no:cacheprovider']))")
    assert "passed" in output or "skipped" in output


@pytest.mark.slow
def test_gpu_benchmarks_start_without_ray_optuna_and_mlflow() -> None:
    output = bare(
        "import runpy; sys.argv[1:] = ['--gpu', '--list']; runpy.run_module('tests.benchmarks', run_name='__main__')"
    )
    assert [line.split()[0] for line in output.splitlines()] == ["gpu_step", "gpu_epoch", "gpu_waits", "gpu_packing"]
