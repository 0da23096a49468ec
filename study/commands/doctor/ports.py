"""Checks which Ray and MLflow processes on this machine are reachable from other machines."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from study.commands.doctor.finding import Finding

PROCESSES = Path("/proc")
LISTENS = "0A"  # state TCP_LISTEN in /proc/net/tcp
# Ray renames its workers. A folder such as /home/ray must not match.
PROGRAM = re.compile(r"/gcs_server\b|/raylet\b|^ray::|(?<=site-packages/)ray/(?!core/src/)|[ /]mlflow\b")
MAX_SHOWN = 6


class ListeningSocket(NamedTuple):
    """A listening socket and its program."""

    program: str
    address: str
    port: int


def check() -> Iterator[Finding]:
    """Checks for listening sockets that are not bound to loopback; other users' processes cannot be identified."""
    opened = sorted({(found.program, found.port) for found in listeners() if not _is_loopback(found.address)})
    if not opened:
        yield Finding("ok", "ports", "no Ray or MLflow process is reachable from other machines")
        return
    shown = ", ".join(f"{program} {port}" for program, port in opened[:MAX_SHOWN])
    more = f" and {len(opened) - MAX_SHOWN} more" if len(opened) > MAX_SHOWN else ""
    yield Finding(
        "warning",
        "ports",
        f"reachable from other machines: {shown}{more}",
        "close these ports in the firewall, except for the nodes of your cluster; Ray's metrics need no token",
    )


def listeners() -> list[ListeningSocket]:
    """Returns the listening sockets of Ray and MLflow processes that this user may inspect."""
    sockets = dict(_sockets())
    programs = _programs(sockets)
    return [ListeningSocket(programs[inode], *endpoint) for inode, endpoint in sockets.items() if inode in programs]


def _sockets() -> Iterator[tuple[str, tuple[str, int]]]:
    """Yields the inode, and the address and port, of each listening socket."""
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (PROCESSES / "net" / table).read_text().splitlines()[1:]:
                columns = line.split()
                local, state, inode = columns[1], columns[3], columns[9]
                if state == LISTENS:
                    address, _, port = local.partition(":")
                    yield inode, (_address(address), int(port, 16))


def _address(text: str) -> str:
    """Converts the kernel's notation of an address, hexadecimal 4-byte words in host byte order.

    Example:
        >>> _address("0100007F"), _address("00000000000000000000000001000000")
        ('127.0.0.1', '::1')
    """
    words = (bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8))
    return str(ipaddress.ip_address(b"".join(words)))


def _programs(wanted: Collection[str]) -> dict[str, str]:
    """Returns the program of each socket that belongs to Ray or MLflow, by inode."""
    found: dict[str, str] = {}
    for process in PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # the process ended, or belongs to another user
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
