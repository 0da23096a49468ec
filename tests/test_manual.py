"""The manual works: its site is built, the notebook runs, the tutorial on custom images runs on real photographs."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tutorials" / "own_images.md"
ARCHIVE = ROOT.parent / "shared" / "data" / "cub200" / "CUB_200_2011.tgz"
CLASSES = 10


def unpack(folder: Path) -> None:
    """Writes the photographs of the first ten species, one folder per class."""
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            parts = Path(member.name).parts
            if "images" in parts[:-2] and member.isfile() and int(parts[-2].partition(".")[0]) <= CLASSES:
                target = folder / parts[-2] / parts[-1]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.extractfile(member).read())


@pytest.mark.slow
def test_the_site_is_built_with_formulas_as_mathml(tmp_path: Path) -> None:
    pytest.importorskip("zensical", reason="the docs extra is not installed")
    pytest.importorskip("latex2mathml", reason="the docs extra is not installed")
    for name in ("docs", "tests/evidence"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("zensical.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("study", "trainables", "analysis", "search_spaces"):
        (tmp_path / name).symlink_to(ROOT / name)
    build = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "build/site/reference/methods/index.html").read_text()
    assert page.count("<math") > 20
    assert ":math:" not in page
    for page in (tmp_path / "build/site").rglob("*.html"):
        assert not re.findall(r'<(?:script|link)[^>]+(?:src|href)="https?:', page.read_text()), (
            page
        )  # no external resources


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(ROOT / "docs" / "tutorials" / "notebook.ipynb", as_version=4)
    NotebookClient(notebook, timeout=500, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert "λ_cls" in "".join(str(output) for output in shown)
    assert (tmp_path / "runs/digits/report/index.html").exists()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.skipif(not ARCHIVE.exists(), reason=f"{ARCHIVE} does not exist")
def test_from_a_folder_to_a_best_configuration(tmp_path: Path) -> None:
    unpack(tmp_path / "birds")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    text = PAGE.read_text()
    (study,) = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL):
        for line in block.splitlines():
            command = ["bash", "-c", line]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{line}: {done.stderr}"
        if "cskd init" in block:  # continue with the study file of the page
            (tmp_path / "birds.yaml").write_text(study)
    for name in ("best.yaml", "birds_2.yaml", "runs/birds/report/index.html"):
        assert (tmp_path / name).stat().st_size > 0
    verified = subprocess.run(["cskd", "verify", "runs/birds"], cwd=tmp_path, env=environment, check=False)
    assert verified.returncode == 0
