import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.kit.inputs.archive_maker import picture
from trainables.datasets.image_folder import read_square
from trainables.errors import DataError
from trainables.preparation.decoding import decode


@pytest.mark.parametrize(
    ("mode", "image_format", "name", "notes"),
    [
        ("RGB", "JPEG", "x.JPEG", ()),
        ("RGB", "PNG", "x.png", ()),
        ("RGB", "PNG", "really_png.jpg", ("name of another format",)),
        ("L", "JPEG", "grey.jpg", ("not RGB",)),
        ("CMYK", "JPEG", "print.jpg", ("not RGB",)),
        ("P", "PNG", "palette.png", ("not RGB",)),
    ],
)
def test_the_format_is_detected_by_content_and_converted_to_rgb(tmp_path, mode, image_format, name, notes):
    (tmp_path / name).write_bytes(picture(mode=mode, image_format=image_format))
    found = decode(tmp_path / name, None)
    assert found.pixels.shape == (30, 40, 3)
    assert found.pixels.dtype == np.uint8
    assert found.notes == notes


def test_larger_images_are_resized_like_torchvision_and_smaller_ones_are_not(tmp_path):
    from trainables.models.layers.torchvision_import import torchvision

    path = tmp_path / "x.png"
    path.write_bytes(picture(size=(101, 67), image_format="PNG"))
    expected = torchvision.transforms.Resize(32)(Image.open(path))
    assert np.array_equal(decode(path, 32).pixels, np.asarray(expected))
    assert decode(path, 67).pixels.shape == decode(path, 100).pixels.shape == (67, 101, 3)


def test_exif_rotation_is_not_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 10)).save(tmp_path / "x.jpg", exif=exif)
    assert decode(tmp_path / "x.jpg", None).pixels.shape == (10, 20, 3)


@pytest.mark.fault(24)
@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda _: b"junk", lambda _: b""])
def test_an_unreadable_file_is_named_in_one_line(tmp_path, damage):
    (tmp_path / "x.jpg").write_bytes(damage(picture(size=(200, 200))))
    with pytest.raises(DataError, match=r"x\.jpg cannot be read as an image") as caught:
        decode(tmp_path / "x.jpg", None)
    assert "\n" not in str(caught.value)


@pytest.mark.bad_input(38)
def test_a_decompression_bomb_is_refused(tmp_path):
    content = bytearray(picture(image_format="PNG"))
    header = b"IHDR" + struct.pack(">II", 30_000, 30_000) + content[24:29]
    content[12:33] = header + struct.pack(">I", zlib.crc32(header))
    path = tmp_path / "bomb.png"
    path.write_bytes(content)
    for read in (decode, read_square):
        with pytest.raises(DataError, match=r"bomb\.png cannot be read as an image.*decompression bomb"):
            read(path, 32)
