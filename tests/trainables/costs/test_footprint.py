"""Private memory of a process, measured in a separate process."""

import subprocess
import sys
from pathlib import Path

MAP_AND_TAKE = """
import mmap, sys
from trainables.costs.footprint import peak_private_bytes
before = peak_private_bytes()
with open(sys.argv[1], "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    sum(mapped[:: mmap.PAGESIZE])
    shared = peak_private_bytes() - before
    taken = b"x" * (200 << 20)
    own = peak_private_bytes() - before
    del taken
print(shared >> 20, own >> 20, peak_private_bytes() - before >> 20)
"""


def test_mapped_files_do_not_count_and_the_peak_is_kept(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(300 << 20))
    words = [sys.executable, "-c", MAP_AND_TAKE, str(tmp_path / "data")]
    shared, own, later = map(int, subprocess.run(words, check=True, capture_output=True, text=True).stdout.split())
    assert shared < 20
    assert 190 < own < 220
    assert later > 190
