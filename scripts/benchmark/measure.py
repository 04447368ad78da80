"""Runs a command to its end, and tells what it took."""

from __future__ import annotations

import os
import pathlib
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Union

Word = Union[str, os.PathLike]


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, seconds of the processor (user and system), peak memory."""

    wall: float
    cpu: float
    megabytes: float


class Stopped(Exception):
    """A program took more than its limits, or cannot do what it should; the text says which."""


@dataclass(frozen=True)
class Limits:
    """What another program may take before it is stopped."""

    seconds: float
    gigabytes: float

    def check(self, seconds: float, memory: int) -> None:
        if seconds > self.seconds:
            raise Stopped(f"> {self.seconds:g} s")
        if memory > self.gigabytes * 1e9:
            raise Stopped(f"> {self.gigabytes:g} GB")


@dataclass(frozen=True)
class Run:
    cost: Cost
    output: str


def run(
    command: Sequence[Word],
    cwd: pathlib.Path | None = None,
    limits: Limits | None = None,
    bare: bool = False,
    environment: dict[str, str] | None = None,
) -> Run:
    """Runs a command, and ends this program if it fails. GNU time tells the peak memory of it and
    its children: what wait4 tells a Python program is not less than Python itself takes. That adds
    a millisecond, so `bare` leaves it out."""
    words = [os.fspath(word) for word in command]
    with tempfile.NamedTemporaryFile() as memory, tempfile.TemporaryFile() as output:
        timed = ["/usr/bin/time", "--format", "%M", "--quiet", "--output", memory.name]
        start = time.perf_counter()
        process = subprocess.Popen(
            words if bare else timed + words,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        usage = _wait(process, limits)
        wall = time.perf_counter() - start
        output.seek(0)
        text = output.read().decode(errors="replace")
        if process.returncode != 0:
            sys.exit(f"{' '.join(words)} failed:\n{text}")
        megabytes = 0.0 if bare else int(memory.read()) / 1024
        return Run(Cost(wall, usage.ru_utime + usage.ru_stime, megabytes), text)


def _wait(process: subprocess.Popen, limits: Limits | None) -> resource.struct_rusage:
    """The usage of the process and of the children that it waited for."""
    start = time.perf_counter()
    try:
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG if limits else 0)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                return usage
            if limits:
                limits.check(time.perf_counter() - start, sum(map(_resident, _family(process.pid))))
                time.sleep(0.02)
    except BaseException:
        # Its session has no other processes than it and its children.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _family(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _resident(pid: int) -> int:
    """Bytes of memory that a process has now."""
    try:
        pages = pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def in_turns(runs: int, *variants: Callable[[], Run]) -> list[Cost]:
    """Runs the variants in turns, so that a noisy machine disturbs all of them alike; for each the
    median of what it took."""
    costs: list[list[Cost]] = [[] for _ in variants]
    for _ in range(runs):
        for taken, variant in zip(costs, variants):
            taken.append(variant().cost)
    return [median(each) for each in costs]


def median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.megabytes for cost in costs),
    )
