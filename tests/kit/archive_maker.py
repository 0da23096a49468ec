"""Small archives in the layout of published ones, and hostile ones."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed=0, size=(40, 30), mode="RGB", image_format="JPEG") -> bytes:
    """A coloured square pattern as an image file; ``size`` is width and height."""
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    image = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).convert(mode)
    sink = io.BytesIO()
    image.save(sink, image_format)
    return sink.getvalue()


def tar_of(path: Path, members: dict[str, bytes], mode="w") -> Path:
    """A tar archive with these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            tar.addfile(plain_member(name, len(content)), io.BytesIO(content))
    return path


def tar_bytes(members: dict[str, bytes]) -> bytes:
    """A tar archive's content."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for name, content in members.items():
            tar.addfile(plain_member(name, len(content)), io.BytesIO(content))
    return sink.getvalue()


def plain_member(name: str, size: int) -> tarfile.TarInfo:
    """A regular file of an archive."""
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    """A zip archive with these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def birds(classes=2, train=3, test=2, changes=None) -> dict[str, bytes]:
    """Members of a small CUB-200-2011; ``changes`` replaces some, or leaves out those that are None."""
    top, rows, number = "CUB_200_2011", [], 0
    members = {f"{top}/classes.txt": "".join(f"{n + 1} {n + 1:03}.Bird_{n}\n" for n in range(classes)).encode()}
    for label in range(classes):
        for place in range(train + test):
            number += 1
            name = f"{label + 1:03}.Bird_{label}/Bird_{place}.jpg"
            rows.append((number, name, label + 1, int(place >= test)))
            members[f"{top}/images/{name}"] = picture(number, (30 + number, 40))
    lists = {"images": 1, "image_class_labels": 2, "train_test_split": 3}
    for name, column in lists.items():
        members[f"{top}/{name}.txt"] = "".join(f"{row[0]} {row[column]}\n" for row in rows).encode()
    members["attributes.txt"] = b"1 has_bill_shape::curved\n"
    members |= changes or {}
    return {name: content for name, content in members.items() if content is not None}
