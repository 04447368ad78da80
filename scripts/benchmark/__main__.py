"""See scripts/bench."""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import sys
import tempfile
from dataclasses import asdict

import client
import documents
import growth
import patchers
import results
import tufup
from bundles import bundles, stamp_on_disk
from measure import Limits, Stopped
from pairs import LARGE, PAIRS, chosen, described
from places import ROOT, WORK
from product import Installs, Project, Served, versions

ABOUT = """Compares notsotuf with other programs, on pairs of real bundles, and prints one Markdown
table. What was measured is kept in .work/bench/results, so that pairs, and the other programs, can
be measured one after the other; --table prints, and --write writes, all that is kept."""

EPILOG = f"""pairs:
{described()}

The bundles are made when a pair is measured for the first time, in half a minute to a few minutes each.
It needs up to 20 GB of disk for a while, and 40 GB with --large."""


def main() -> None:
    options = parse()
    if options.growth:
        with temporary() as work:
            rows = growth.measure(work)
        print(results.markdown(growth.HEAD, rows))
        if options.write:
            documents.write_growth(rows)
        return
    pairs = results.kept() if options.table else options.pairs
    if not options.table:
        for pair in pairs:
            measure(pair, options)
    table = [row for pair in pairs for row in results.rows(pair)]
    print(results.markdown(results.HEAD, table))
    if options.write:
        documents.write_pairs()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=ABOUT, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pairs", type=pairs_option, default="default", help="names with commas between them, default, or all")
    add("--large", action="store_true", help=f"measure {LARGE}, too")
    names = ", ".join(results.PEERS)
    add("--peers", type=peers_option, default=",".join(results.PEERS), help=f"of {names}; or none, for notsotuf alone")
    add("--runs", type=int, default=5, help="runs, at most, of what takes notsotuf long; the others run once")
    add("--starts", type=int, default=60, help="starts of the application")
    add("--seconds", type=float, default=600, help="after so many, another program is stopped")
    add("--gigabytes", type=float, default=6, help="with more memory, another program is stopped")
    add("--table", action="store_true", help="measure nothing; the table of all that is kept")
    add("--growth", action="store_true", help="instead, repositories of 10, 100, 1000 releases")
    add("--write", action="store_true", help="write the table into the documents, too, with all that is kept")
    options = parser.parse_args()
    if options.large and LARGE not in options.pairs:
        options.pairs.append(LARGE)
    return options


def pairs_option(names: str) -> list[str]:
    try:
        return chosen(names)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def peers_option(names: str) -> list[str]:
    peers = [] if names == "none" else names.split(",")
    for peer in peers:
        if peer not in results.PEERS:
            raise argparse.ArgumentTypeError(f"no program {peer}; there are {', '.join(results.PEERS)}")
    return peers


def measure(pair: str, options: argparse.Namespace) -> None:
    """Measures notsotuf, and the other programs, and keeps what they took."""
    before = stamp_on_disk(pair)
    releases = bundles(pair)
    if stamp_on_disk(pair) != before:
        results.forget(pair)
    with temporary() as work:
        say(f"{pair}: notsotuf")
        results.keep(pair, "notsotuf", ours(pair, releases, work, options))
    limits = Limits(options.seconds, options.gigabytes)
    with temporary() as work:
        tars = patchers.tars(releases[0], releases[-1], work)
        for peer in options.peers:
            say(f"{pair}: {peer}")
            try:
                if peer == "tufup":
                    measured = asdict(tufup.measure(releases, work / peer, limits))
                else:
                    measured = asdict(patchers.measure(patchers.PATCHERS[peer], tars, work, limits))
            except Stopped as stopped:
                measured = {"stopped": str(stopped)}
            results.keep(pair, peer, measured)


def ours(pair: str, releases: list[pathlib.Path], work: pathlib.Path, options: argparse.Namespace) -> dict:
    runs = min(options.runs, PAIRS[pair].runs)
    names = versions(len(releases))
    folder = work / "project"
    with Served(folder / "repository") as url:
        project = Project(folder, url, patch_from=len(releases) - 1)
        added = project.add_all(releases, runs)
        installs = Installs(work, project, names[0])
        updates = client.updates(installs, project, names[-1], runs)
        measured = {"commit": commit(), "added": asdict(added), "updates": asdict(updates)}
        if pair == "small-code":
            measured["starts"] = asdict(client.starts(installs.fresh(), options.starts))
    return measured


def commit() -> str:
    """The commit of this work tree, with a mark if the programs differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", ROOT, *words], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    changed = git("status", "--porcelain", "--", "stub", "bundler", "Cargo.lock")
    return git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")


def say(text: str) -> None:
    print(f"== {text}", file=sys.stderr, flush=True)


def temporary() -> Folder:
    return Folder(dir=WORK, prefix="bench-")


class Folder(tempfile.TemporaryDirectory):
    """A temporary folder as a path."""

    def __enter__(self) -> pathlib.Path:
        return pathlib.Path(super().__enter__())


if __name__ == "__main__":
    main()
