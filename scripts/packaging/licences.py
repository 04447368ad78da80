"""Collects the licences of what is linked into the programs: licences.py TRIPLE"""

import json
import re
import subprocess
import sys
from pathlib import Path

PROGRAMS = ("notsotuf", "notsotuf-stub")
# As crates call the files with their licences and copyrights.
TEXT = re.compile(r"(?i)^(licen[cs]e|copying|copyright|notice|unlicense)")
HEAD = """\
notsotuf and notsotuf-stub are under MIT or Apache-2.0, at your option. They contain the
following works of others; the texts of their licences follow.

Rust's standard library (https://github.com/rust-lang/rust) is linked into both: MIT OR
Apache-2.0, copyright the Rust Project contributors, with parts of LLVM's compiler-rt under
Apache-2.0 WITH LLVM-exception. Programs for Windows also contain the runtime of mingw-w64
(https://www.mingw-w64.org), which is in the public domain or under the ZPL 2.1, and that of
GCC, under GPL-3.0-or-later WITH GCC-exception-3.1.
"""


def main():
    sys.stdout.write(collect(sys.argv[1]))


def collect(triple):
    """Returns the text for the programs of a platform."""
    packages = linked(triple)
    lines = [HEAD]
    for package in packages:
        link = package["repository"] or f"https://crates.io/crates/{package['name']}"
        lines.append(f"- {package['name']} {package['version']}: {package['license']}, {link}")
    # Many packages have the same text, but for its line breaks.
    users = {}
    for package in packages:
        for text in texts(package) or [f"({package['license']}: the package has no file with the text)"]:
            users.setdefault(" ".join(text.split()), (text, []))[1].append(package["name"])
    for text, names in users.values():
        lines += ["", "=" * 90, "Of " + ", ".join(dict.fromkeys(names)) + ":", "", text]
    return "\n".join(lines) + "\n"


def linked(triple):
    """Lists the packages from elsewhere that end up in the programs, in order."""
    done = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--filter-platform", triple],
        stdout=subprocess.PIPE,
        check=True,
    )
    metadata = json.loads(done.stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    needs = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}
    waiting = [key for key, package in packages.items() if package["name"] in PROGRAMS]
    seen = set(waiting)
    while waiting:
        for need in needs[waiting.pop()]:
            key = need["pkg"]
            kinds = [kind["kind"] for kind in need["dep_kinds"]]
            # What runs while it is built is not linked.
            if None in kinds and key not in seen and not is_macro(packages[key]):
                seen.add(key)
                waiting.append(key)
    found = [packages[key] for key in seen if packages[key]["source"]]
    return sorted(found, key=lambda package: (package["name"], package["version"]))


def is_macro(package):
    return any("proc-macro" in target["kind"] for target in package["targets"])


def texts(package):
    """Returns the licence texts that a package brings."""
    folder = Path(package["manifest_path"]).parent
    files = [path for path in folder.iterdir() if TEXT.match(path.name)]
    for path in list(files):
        # A folder of texts, as REUSE has it.
        if path.is_dir():
            files += path.iterdir()
    if package["license_file"]:
        files.append(folder / package["license_file"])
    texts = [path for path in sorted(set(files)) if path.is_file() and path.suffix not in (".rs", ".py")]
    read = (path.read_text(encoding="utf-8", errors="replace") for path in texts)
    return [text.replace("\r\n", "\n").strip("\n") for text in read]


if __name__ == "__main__":
    main()
