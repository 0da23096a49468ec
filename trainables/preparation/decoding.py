"""Image files as RGB arrays: content decides the format, no EXIF rotation, an unreadable file is named."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.errors import DataError

ENDINGS = {"JPEG": (".jpg", ".jpeg"), "MPO": (".jpg", ".jpeg")}


class Decoded(NamedTuple):
    """A decoded image.

    Attributes:
        pixels: uint8 ``[height, width, 3]``.
        notes: What was unusual about the file: ``not RGB``, ``name of another format``; ``resized`` is usual.
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...]


def decode(path: Path, side: int | None) -> Decoded:
    """Decodes a file as RGB; a shorter side beyond ``side`` is brought to it (bilinear, antialiased), none is enlarged.

    Args:
        path: The file.
        side: Pixels; None for the size as it is.

    Raises:
        DataError: The file is missing, truncated or no image.
    """
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
            notes = [] if file.mode == "RGB" else ["not RGB"]
            if path.suffix.lower() not in ENDINGS.get(file.format or "", (f".{file.format}".lower(),)):
                notes.append("name of another format")
    except Exception as error:  # Pillow's readers raise errors of many kinds on damaged files
        why = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read as an image ({why}); fetch its archive again") from error
    width, height = image.size
    if side is not None and min(width, height) > side:
        shorter = min(width, height)
        image = image.resize((int(side * width / shorter), int(side * height / shorter)), Image.Resampling.BILINEAR)
        notes.append("resized")
    return Decoded(np.asarray(image), tuple(notes))
