import os
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from trainables.datasets.cifar100 import FOLDER, Cifar100
from trainables.errors import DataError


@pytest.fixture(scope="module")
def linked(cifar100_root, tmp_path_factory):
    """Separate folder with links to the published files."""
    root = tmp_path_factory.mktemp("linked")
    (root / FOLDER).mkdir()
    for file in (cifar100_root / FOLDER).iterdir():
        (root / FOLDER / file.name).symlink_to(file)
    return root


@pytest.mark.slow
def test_training_part(cifar100_root):
    images = Cifar100(root=cifar100_root)._read("train")
    assert images.images.shape == (50_000, 32, 32, 3)
    assert images.images.dtype == np.uint8
    assert images.labels.dtype == np.int64
    assert np.bincount(images.labels).tolist() == [500] * 100
    assert images.classes[:3] == ("apple", "aquarium_fish", "baby")
    # The means of CIFAR-100, which are not the normalisation constants of the paper's code.
    np.testing.assert_allclose(images.images.mean(axis=(0, 1, 2)) / 255, [0.507, 0.487, 0.441], atol=1e-3)


@pytest.mark.slow
def test_the_test_part_equals_torchvisions(cifar100_root):
    from trainables.models.layers.torchvision_import import datasets

    images, reference = Cifar100(root=cifar100_root)._read("test"), datasets.CIFAR100(cifar100_root, train=False)
    assert np.array_equal(images.images, reference.data)
    assert images.labels.tolist() == reference.targets
    assert list(images.classes) == reference.classes


@pytest.mark.slow
def test_root_may_be_the_folder_itself_or_come_from_the_environment(linked, monkeypatch):
    assert len(Cifar100(root=linked / FOLDER)._read("test").labels) == 10_000
    monkeypatch.setenv("CSKD_DATA", str(linked))
    assert len(Cifar100()._read("test").labels) == 10_000


@pytest.mark.slow
@pytest.mark.parametrize("as_folder", [True, False])
def test_root_may_be_the_archive_and_two_processes_may_start_at_once(cifar100_root, tmp_path, as_folder):
    archive = tmp_path / "cifar-100-python.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=0) as tar:
        tar.add(cifar100_root / FOLDER, FOLDER)
    root = tmp_path if as_folder else archive
    script = f"""
from pathlib import Path
from trainables.datasets.cifar100 import Cifar100
assert len(Cifar100(root=Path({str(root)!r}))._read("test").labels) == 10_000
"""
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert {path.name for path in tmp_path.iterdir()} - {".cskd.lock"} == {archive.name, FOLDER}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test", "meta"])
def test_a_damaged_file_is_named(cifar100_root, linked, tmp_path, name):
    root = tmp_path / FOLDER
    shutil.copytree(linked / FOLDER, root, symlinks=True)
    content = bytearray((root / name).read_bytes())
    content[len(content) // 2] ^= 1
    (root / name).unlink()
    (root / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{FOLDER}/{name} is damaged"):
        Cifar100(root=root)._read("test")


def test_a_missing_file_is_named(tmp_path):
    (tmp_path / FOLDER).mkdir()
    with pytest.raises(DataError, match=rf"{FOLDER}/train cannot be read: No such file"):
        Cifar100(root=tmp_path)._read("train")


def test_without_network_the_error_names_the_file_to_provide(tmp_path):
    script = """
from trainables.datasets.cifar100 import Cifar100
from trainables.errors import DataError
try:
    Cifar100()._read("train")
except DataError as error:
    print(error)
"""
    closed = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    environment = os.environ | closed | {"CSKD_DATA": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 1
    assert f"put it at {tmp_path / 'cifar-100-python.tar.gz'}" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == [".cskd.lock"]
