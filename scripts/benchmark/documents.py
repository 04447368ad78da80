"""Writes tables into the documents, between two comments that name them."""

from __future__ import annotations

import pathlib
import re

import growth
import results
from places import ROOT
from results import Row

PAGE = ROOT / "docs" / "reference" / "benchmarks.md"


def write_pairs() -> None:
    """Writes all that is kept."""
    kept = results.kept()
    rows = [row for pair in kept for row in results.rows(pair)]
    write(PAGE, "pairs", f"{results.about(kept)}\n\n{results.markdown(results.HEAD, rows)}")


def write_growth(rows: list[Row]) -> None:
    write(PAGE, "growth", results.markdown(growth.HEAD, rows))


def write(document: pathlib.Path, name: str, table: str) -> None:
    """Replaces what is between the two comments."""
    begin, end = f"<!-- scripts/bench --write: {name} -->", "<!-- end -->"
    text = document.read_text()
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    text, count = pattern.subn(lambda found: f"{found[1]}{table}\n{found[2]}", text)
    if count != 1:
        raise SystemExit(f"{document}: the comments {begin} … {end} are not there once")
    document.write_text(text)
