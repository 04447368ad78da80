"""Makes plain archives of the programs out of the wheels: archives.py WHEELS OUT

So both have the same programs. Whatever is in the wheels decides what the archives have, and
SOURCE_DATE_EPOCH their times: the same wheels give the same bytes.
"""

import gzip
import hashlib
import io
import os
import re
import sys
import tarfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PLATFORMS = {"win_amd64": "x86_64-windows"}
DOCUMENTS = ("LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md")


def main():
    wheels, out = map(Path, sys.argv[1:])
    for wheel in sorted(wheels.glob("*.whl")):
        version, platform = wheel.stem.split("-")[1], wheel.stem.split("-")[-1]
        if platform not in PLATFORMS:
            # As in manylinux2014_x86_64.manylinux_2_17_x86_64.
            PLATFORMS[platform] = re.search(r"manylinux_\d+_\d+_(\w+)", platform)[1] + "-linux"
        name = f"notsotuf-{version}-{PLATFORMS[platform]}"
        files = files_of(wheel)
        write = write_zip if platform.startswith("win") else write_tar
        write(out / name, [(f"{name}/{path}", *file) for path, file in sorted(files.items())])
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(out.iterdir())
        if path.name != "SHA256SUMS"
    ]
    (out / "SHA256SUMS").write_bytes("".join(sums).encode())


def files_of(wheel):
    """Returns content and mode by path: programs at the top, what belongs to the system below."""
    files = {name: ((ROOT / name).read_bytes(), 0o644) for name in DOCUMENTS}
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            _, data, path = name.partition(".data/")
            kind, _, rest = path.partition("/")
            if not data or not rest or rest.endswith("/"):
                continue
            place = {
                "scripts": rest,
                "purelib": f"python/{rest}",
                "data": rest.replace("share/doc/notsotuf/", ""),
            }[kind]
            files[place] = (packed.read(name), 0o755 if kind == "scripts" else 0o644)
    return files


def write_tar(path, files):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content, mode in files:
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), mode, epoch()
            archive.addfile(member, io.BytesIO(content))
    with open(f"{path}.tar.gz", "wb") as file:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=0) as packed:
            packed.write(raw.getvalue())


def write_zip(path, files):
    with zipfile.ZipFile(f"{path}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content, mode in files:
            member = zipfile.ZipInfo(name, time.gmtime(epoch())[:6])
            member.compress_type, member.create_system = zipfile.ZIP_DEFLATED, 3
            member.external_attr = (0o100000 | mode) << 16
            archive.writestr(member, content)


def epoch():
    return int(os.environ["SOURCE_DATE_EPOCH"])


if __name__ == "__main__":
    main()
