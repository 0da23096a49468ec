"""Private memory of a process, measured in a separate process."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import mmap, sys
from trainables.costs.footprint import peak_private_bytes
before = peak_private_bytes()
with open(sys.argv[1], "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    sum(mapped[:: mmap.PAGESIZE])
    shared = peak_private_bytes() - before
    taken = b"x" * (200 << 20)
    private = peak_private_bytes() - before
    del taken
print(shared >> 20, private >> 20, peak_private_bytes() - before >> 20)
"""


def test_mapped_files_do_not_count_and_the_peak_is_kept(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(300 << 20))
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "data")]
    shared, private, later = map(
        int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    )
    assert shared < 20
    assert 190 < private < 220
    assert later > 190
