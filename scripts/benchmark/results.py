"""Keeps what was measured, one file a pair, so that pairs and programs can be measured one after
the other; and makes tables of it."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterable
from typing import Any

import tufup
from pairs import PAIRS
from patchers import PATCHERS
from places import RESULTS

# Of each program: what it is called in --peers, and at the head of its column.
PEERS = {"tufup": tufup.HEADING} | {name: patcher.heading for name, patcher in PATCHERS.items()}
HEAD = ["what", "notsotuf", *PEERS.values(), "floor"]

Result = dict[str, Any]
Row = list[str]


def load(pair: str) -> Result:
    path = RESULTS / f"{pair}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def forget(pair: str) -> None:
    """Its bundles are others now."""
    (RESULTS / f"{pair}.json").unlink(missing_ok=True)


def keep(pair: str, program: str, measured: Any) -> None:
    """Keeps what one program took for a pair, in place of what it took before."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(load(pair) | {program: measured}, indent=1)
    (RESULTS / f"{pair}.json").write_text(text + "\n")


def kept() -> list[str]:
    return [pair for pair in PAIRS if "notsotuf" in load(pair)]


def markdown(head: Row, rows: Iterable[Row]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in [head, *rows]]
    lines.insert(1, "|---" * len(head) + "|")
    return "\n".join(lines)


def about(pairs: list[str]) -> str:
    """What a table of these pairs says in front of it."""
    commits = sorted({load(pair)["notsotuf"]["commit"] for pair in pairs})
    figures = f"""Measured on {os.cpu_count()} cores (notsotuf at commit {", ".join(commits)}). "Make it" and "apply it"
    have seconds of the processor and the peak memory. In brackets: how many times what notsotuf takes. notsotuf and
    tufup also make the archive, and apply a patch within a whole update, which looks for it, downloads, verifies and
    installs it."""
    meanings = "; ".join(f"`{pair}`: {PAIRS[pair].about}" for pair in pairs)
    return "\n\n".join(_filled(text) for text in [figures, f"{meanings}."])


def _filled(text: str) -> str:
    words = " ".join(text.split())
    return textwrap.fill(words, width=120, break_long_words=False, break_on_hyphens=False)


def rows(pair: str) -> list[Row]:
    """The rows of a pair."""
    result = load(pair)
    ours = result["notsotuf"]
    made, applied = ours["added"]["cost"], ours["updates"]["by_patch"]
    table = [_row(f"{pair}: patch", result, "patch", ours["added"]["patch"], _bytes)]
    if len(ours["added"]["chain"]) > 1:
        table.append(_way(pair, ours))
    table.append(_row(f"{pair}: make it", result, "made", made, _work, _without_patch(ours)))
    table.append(_row(f"{pair}: apply it", result, "applied", applied, _work))
    table += _waits(pair, result)
    if "starts" in ours:
        table += _starts(ours["starts"])
    return table


def _waits(pair: str, result: Result) -> list[Row]:
    """What takes how long on the clock."""
    added, updates = result["notsotuf"]["added"], result["notsotuf"]["updates"]
    copy = f"cp -r {_seconds(updates['copied']['wall'])}, hashing {_seconds(updates['hashed']['wall'])}"
    pipe = f"curl \\| tar xz {_seconds(updates['unpacked']['wall'])}"
    only = {name: result[name] for name in ["tufup"] if name in result}
    return [
        _row(f"{pair}: time to add", only, "made", added["cost"], _wait),
        _row(f"{pair}: time to update", only, "applied", updates["by_patch"], _wait, copy),
        _row(f"{pair}: time to update by the archive", only, "full", updates["full"], _wait, pipe),
    ]


def _row(what: str, result: Result, key: str, ours: Any, unit: _Unit, floor: str = "") -> Row:
    cells = [unit.cell(ours)]
    for name in PEERS:
        theirs = result.get(name, {})
        cell = theirs.get("stopped", "") if key in ["patch", "made"] else ""
        if key in theirs:
            cell = f"{unit.cell(theirs[key])} ({_ratio(unit.number(theirs[key]), unit.number(ours))})"
        cells.append(cell)
    return [what, *cells, floor]


def _way(pair: str, ours: Result) -> Row:
    added = ours["added"]
    steps = f"one after the other {sum(added['chain']):,} B, archive {added['archive']:,} B"
    return _alone(f"{pair}: the client takes", ours["updates"]["way"], steps)


def _without_patch(ours: Result) -> str:
    return f"archive alone {_work.cell(ours['added']['without_patch'])}"


def _starts(starts: Result) -> list[Row]:
    def more(by: str, base: str) -> str:
        return _seconds(starts[by]["wall"] - starts[base]["wall"])

    check = f"{_seconds(starts['check']['wall'])}, {starts['check_megabytes']:.0f} MB"
    direct, alone = _seconds(starts["direct"]["wall"]), _seconds(starts["stub_alone"]["wall"])
    return [
        _alone("stub, stripped", f"{starts['stub_bytes']:,} B"),
        _alone("up-to-date start, added to a direct one", more("by_stub", "direct"), f"direct start {direct}"),
        _alone("up-to-date check alone", check, f"process start {alone}"),
        _alone("start without a network, added to a direct one", more("offline", "offline_direct")),
    ]


def _alone(what: str, ours: str, floor: str = "") -> Row:
    return [what, ours, *[""] * len(PEERS), floor]


class _Unit:
    """How a figure is shown, and what of it is compared."""

    def __init__(self, cell, number):
        self.cell = cell
        self.number = number


def _seconds(value: float) -> str:
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.1f} s"


_bytes = _Unit(lambda size: f"{size:,} B", lambda size: size)
_work = _Unit(lambda cost: f"{_seconds(cost['cpu'])}, {cost['megabytes']:.0f} MB", lambda cost: cost["cpu"])
_wait = _Unit(lambda cost: _seconds(cost["wall"]), lambda cost: cost["wall"])


def _ratio(theirs: float, ours: float) -> str:
    ratio = theirs / ours
    digits = 0 if ratio >= 10 else 1 if ratio >= 1 else 2
    return f"{ratio:.{digits}f}×"
