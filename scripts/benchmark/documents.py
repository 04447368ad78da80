"""Writes tables into the documents, between two comments that name them."""

from __future__ import annotations

import re

import growth
import results
from places import ROOT
from results import Row

PAGE = ROOT / "docs" / "reference" / "benchmarks.md"
README = ROOT / "README.md"
# What a reader of the README needs.
IN_README = ["small-code", "mid-dep", "big-dep", "onefile-numpy", "onedir-sqlalchemy", "behind-sqlalchemy"]


def write_pairs() -> None:
    """Writes all that is kept."""
    kept = results.kept()
    table = [row for pair in kept for row in results.rows(pair)]
    write(PAGE, "pairs", results.markdown(results.HEAD, table))
    table = [row for pair in kept if pair in IN_README for row in results.rows(pair, brief=True)]
    write(README, "pairs", results.markdown(results.HEAD, table))


def write_growth(rows: list[Row]) -> None:
    write(PAGE, "growth", results.markdown(growth.HEAD, rows))


def write(document, name: str, table: str) -> None:
    """Replaces what is between the two comments."""
    begin, end = f"<!-- scripts/bench --write: {name} -->", "<!-- end -->"
    text = document.read_text()
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    text, count = pattern.subn(lambda found: f"{found[1]}{table}\n{found[2]}", text)
    if count != 1:
        raise SystemExit(f"{document}: the comments {begin} … {end} are not there once")
    document.write_text(text)
