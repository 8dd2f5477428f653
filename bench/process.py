"""A broker's process, looked at from outside: processor seconds and resident memory, with its children's."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def cpu_seconds(pid: int) -> float:
    """Processor seconds taken so far, in user and kernel mode."""
    return sum(int(fields[11]) + int(fields[12]) for fields in _stats(pid)) / _TICKS_PER_SECOND


def memory_mib(pid: int) -> float:
    """Resident memory. Pages of mapped files count, those of the page cache do not."""
    return sum(_resident_kib(one) for one in _tree(pid)) / 1024


def _tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for directory in _PROC.glob("[0-9]*"):
        if fields := _fields(int(directory.name)):
            children.setdefault(int(fields[1]), []).append(int(directory.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def _stats(pid: int) -> Iterator[list[str]]:
    return (fields for one in _tree(pid) if (fields := _fields(one)))


def _fields(pid: int) -> list[str]:
    """What /proc/PID/stat says after the command's name, which may hold blanks; empty when it has ended."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _resident_kib(pid: int) -> int:
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
