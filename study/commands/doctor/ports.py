"""Which programs of Ray and MLflow on this machine other machines can reach."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from study.commands.doctor.finding import Finding

PROCESSES = Path("/proc")
LISTENS = "0A"  # in the tables of the kernel
# Ray renames its workers; its folder may not be taken for a user of this name.
PROGRAM = re.compile(r"/gcs_server\b|/raylet\b|^ray::|(?<=site-packages/)ray/(?!core/src/)|[ /]mlflow\b")
MOST_SHOWN = 6


class Listener(NamedTuple):
    """A socket that waits for connections, and the program behind it."""

    program: str
    address: str
    port: int


def check() -> Iterator[Finding]:
    """What of ours listens to other machines; another user's programs cannot be told apart."""
    opened = sorted({(one.program, one.port) for one in listeners() if not _is_loopback(one.address)})
    if not opened:
        yield Finding("ok", "ports", "nothing of Ray or MLflow that runs here listens to other machines")
        return
    shown = ", ".join(f"{program} {port}" for program, port in opened[:MOST_SHOWN])
    more = f" and {len(opened) - MOST_SHOWN} more" if len(opened) > MOST_SHOWN else ""
    yield Finding(
        "warning",
        "ports",
        f"other machines can reach {shown}{more}",
        "close these ports in the firewall but for the nodes of your cluster; Ray's token does not guard its metrics",
    )


def listeners() -> list[Listener]:
    """Sockets of Ray's and MLflow's programs, as far as this user may see them."""
    sockets = dict(_sockets())
    programs = _programs(sockets)
    return [Listener(programs[inode], *place) for inode, place in sockets.items() if inode in programs]


def _sockets() -> Iterator[tuple[str, tuple[str, int]]]:
    """Inode, and address and port, of each socket that listens."""
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (PROCESSES / "net" / table).read_text().splitlines()[1:]:
                (
                    _,
                    local,
                    _,
                    state,
                    *_,
                ) = columns = line.split()
                if state == LISTENS:
                    address, _, port = local.partition(":")
                    yield columns[9], (_address(address), int(port, 16))


def _address(text: str) -> str:
    """The kernel's notation, words of four bytes in this machine's order, as people write it.

    Example:
        >>> _address("0100007F"), _address("00000000000000000000000001000000")
        ('127.0.0.1', '::1')
    """
    words = (bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8))
    return str(ipaddress.ip_address(b"".join(words)))


def _programs(wanted: Collection[str]) -> dict[str, str]:
    """The program behind each socket, where it is one of ours."""
    found: dict[str, str] = {}
    for process in PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended, or is another user's
            if program := _program(process):
                links = (str(file.readlink()) for file in (process / "fd").iterdir())
                found |= {inode: program for link in links if (inode := link[8:-1]) in wanted}
    return found


def _program(process: Path) -> str | None:
    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    found = PROGRAM.search(command)
    return found[0].strip("/: ") if found else None


def _is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
