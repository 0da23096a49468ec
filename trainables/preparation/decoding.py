"""Decodes image files to RGB arrays; detects the format by content and ignores EXIF rotation."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.errors import DataError

ENDINGS = {"JPEG": (".jpg", ".jpeg"), "MPO": (".jpg", ".jpeg")}


class Decoded(NamedTuple):
    """Decoded image.

    Attributes:
        pixels: Pixels, uint8 ``[height, width, 3]``.
        notes: Peculiarities of the file (``not RGB``, ``name of another format``), and ``resized`` for a resized image.
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...]


def decode(path: Path, side: int | None) -> Decoded:
    """Decodes a file as RGB; resizes an image whose shorter side exceeds ``side`` (bilinear, antialiased).

    Args:
        path: Image file.
        side: Largest shorter side in pixels; None to keep the size.

    Raises:
        DataError: The file is missing, truncated or not an image.
    """
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
            notes = [] if file.mode == "RGB" else ["not RGB"]
            if path.suffix.lower() not in ENDINGS.get(file.format or "", (f".{file.format}".lower(),)):
                notes.append("name of another format")
    except Exception as error:  # Pillow raises many types of errors for damaged files
        why = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read as an image ({why}); fetch its archive again") from error
    width, height = image.size
    if side is not None and min(width, height) > side:
        shorter = min(width, height)
        image = image.resize((int(side * width / shorter), int(side * height / shorter)), Image.Resampling.BILINEAR)
        notes.append("resized")
    return Decoded(np.asarray(image), tuple(notes))
