"""Small archives with the layout of published ones."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat


def picture(seed=0, size=(40, 30), mode="RGB", image_format="JPEG") -> bytes:
    """Returns a coloured pattern as an image file; ``size`` is width and height in pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    image = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).convert(mode)
    sink = io.BytesIO()
    image.save(sink, image_format)
    return sink.getvalue()


def tar_of(path: Path, members: dict[str, bytes], mode="w") -> Path:
    """Writes a tar archive with these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            tar.addfile(plain_member(name, len(content)), io.BytesIO(content))
    return path


def tar_bytes(members: dict[str, bytes]) -> bytes:
    """Returns a tar archive with these files."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for name, content in members.items():
            tar.addfile(plain_member(name, len(content)), io.BytesIO(content))
    return sink.getvalue()


def plain_member(name: str, size: int) -> tarfile.TarInfo:
    """Returns the header of a regular file in a tar archive."""
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    """Writes a zip archive with these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def birds(classes=2, train=3, test=2, changes=None) -> dict[str, bytes]:
    """Returns the files of a small CUB-200-2011; ``changes`` replaces files, or removes those that are None."""
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


def dogs(folder: Path, breeds=2, train=3, test=2, changes=None) -> list[Path]:
    """Writes ``images.tar`` and ``lists.tar`` of a small Stanford Dogs; the first image is a PNG named .jpg."""
    names = [f"n0{breed}-Breed_{breed}" for breed in range(breeds)]
    rows = [(f"{name}/{place}.jpg", breed) for breed, name in enumerate(names) for place in range(train + test)]
    images = {f"Images/{name}": picture(number) for number, (name, _) in enumerate(rows)}
    images[f"Images/{rows[0][0]}"] = picture(image_format="PNG")
    parts = {"train": [row for row in rows if int(row[0][-5]) < train], "test": []}
    parts["test"] = [row for row in rows if row not in parts["train"]]
    lists = {f"{part}_list.mat": mat_list(part_rows[::-1]) for part, part_rows in parts.items()} | (changes or {})
    return [tar_of(folder / "images.tar", images), tar_of(folder / "lists.tar", lists)]


def mat_list(rows: list[tuple[str, int]]) -> bytes:
    """Returns a list in MATLAB format, with nested one-element arrays and labels from 1."""
    nested = np.empty((len(rows), 1), object)
    for number, (name, _) in enumerate(rows):
        nested[number, 0] = np.array([name], object)
    sink = io.BytesIO()
    savemat(sink, {"file_list": nested, "labels": np.array([[label + 1] for _, label in rows], np.uint8)})
    return sink.getvalue()


def rooms(folder: Path, train: list[str], test: list[str], end="\r\n") -> list[Path]:
    """Writes the three files of a small MIT67; the archive contains an unlisted image."""
    images = {f"Images/{name}": picture(number) for number, name in enumerate([*train, *test, "zoo/unused.jpg"])}
    images[f"Images/{train[0]}"] = picture(mode="CMYK")
    images[f"Images/{test[0]}"] = picture(mode="L")
    lists = {folder / "TrainImages.txt": train, folder / "TestImages.txt": test}
    archive = tar_of(folder / "indoorCVPR_09.tar", images)
    for path, names in lists.items():
        path.write_bytes(end.join(names).encode())  # the published lists do not end with a newline
    return [archive, *lists]


def imagenet(folder: Path, train=3) -> list[Path]:
    """Writes the three archives of a small ImageNet with two classes, in reverse order of the ILSVRC numbers."""
    wnids = ["n01", "n02"]
    inner = {
        f"{wnid}.tar": tar_bytes({f"{wnid}_{place}.JPEG": picture(10 * number + place) for place in range(train)})
        for number, wnid in enumerate(wnids)
    }
    validation = {f"ILSVRC2012_val_{number:08}.JPEG": picture(100 + number, mode="CMYK") for number in (1, 2, 3)}
    kind = np.dtype([(name, object) for name in ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children")])
    synsets = np.array([(1, "n02", "b", "", 0), (2, "n01", "a", "", 0), (3, "n00", "both", "", 2)], kind)
    sink = io.BytesIO()
    savemat(sink, {"synsets": synsets.reshape(-1, 1)})
    data = "ILSVRC2012_devkit_t12/data"
    devkit = {f"{data}/meta.mat": sink.getvalue(), f"{data}/ILSVRC2012_validation_ground_truth.txt": b"1\n2\n1\n"}
    return [
        tar_of(folder / "ILSVRC2012_img_train.tar", inner),
        tar_of(folder / "ILSVRC2012_img_val.tar", validation),
        tar_of(folder / "ILSVRC2012_devkit_t12.tar.gz", devkit, "w:gz"),
    ]
