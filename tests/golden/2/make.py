"""Made the trees of this folder: make.py FOLDER OLD NEW

OLD and NEW are the trees of ../1, whose programs are used; ZLIB_NG names the
folder of a zlib-ng 2.3 that was built as libz.so.1. The test `makes_a_golden_patch`
of the bundler starts this, and makes the patch; `new` was removed then, since
nobody needs it. Made with Python 3.11, zlib 1.2.13, PyInstaller 6, by the first
bundler that knew `notsotuf-2`. What is here is never changed.
"""

import importlib.util
import marshal
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

from PyInstaller.archive.writers import CArchiveWriter, ZlibArchiveWriter

NG = """
import sys, zlib
way, level = sys.argv[1], int(sys.argv[2])
assert "zlib-ng" in zlib.ZLIB_RUNTIME_VERSION
plain = sys.stdin.buffer.read()
if way == "whole":
    made = zlib.compress(plain, level, -15)
else:
    stream = zlib.compressobj(level, zlib.DEFLATED, -15)
    pieces = range(0, len(plain), 16384)
    made = b"".join(stream.compress(plain[at:at + 16384]) for at in pieces) + stream.flush()
sys.stdout.buffer.write(made)
"""


def ng(way, level, plain):
    """A bare stream of zlib-ng."""
    command = [sys.executable, "-c", NG, way, str(level)]
    path = {"LD_LIBRARY_PATH": os.environ["ZLIB_NG"]}
    done = subprocess.run(
        command, input=plain, stdout=subprocess.PIPE, check=True, env=os.environ | path
    )
    return done.stdout


def deflate(level, plain):
    stream = zlib.compressobj(level, zlib.DEFLATED, -15)
    return stream.compress(plain) + stream.flush()


def source(name, version, functions=12):
    """A module; in its second version it has some lines, names and constants more."""
    lines = [f'"""The module {name}."""', "import os", f"VERSION = {version}", ""]
    for n in range(functions + (version == 2)):
        number = n if version == 1 or n < 4 else n - 1
        extra = "_new" if version == 2 and n == 4 else ""
        lines += [
            f"def function_{number}{extra}(first, second={number}, *rest):",
            f'    """Does {number} things with {name}."""',
            f"    value = os.path.join(first, '{name}', str(second * {1000 + number}))",
            "    for item in rest:",
            f"        value += '%s-{number}' % item",
            "    return value",
            "",
        ]
    return "\n".join(lines)


def pyc(name, version):
    code = compile(source(name, version), f"{name}.py", "exec")
    return importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code)


def zip_file(entries):
    """Of entries that are compressed already."""
    file, directory = b"", b""
    for name, plain, method, stored in entries:
        common = struct.pack(
            "<HHHHHIIIHH", 20, 0, method, 0, 33, zlib.crc32(plain), len(stored), len(plain),
            len(name), 0,
        )
        directory += b"PK\1\2\x14\3" + common + struct.pack("<HHHII", 0, 0, 0, 0, len(file))
        directory += name.encode()
        file += b"PK\3\4" + common + name.encode() + stored
    end = struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(directory), len(file), 0)
    return file + directory + b"PK\5\6" + end


def program(version, elf, work):
    """An executable of PyInstaller; its bootloader is a library, which is here a member, too."""
    os.environ["PYINSTALLER_ZLIB_COMPRESSION_LEVEL"] = "6"
    names = ["app", "app.core", "app.text", "helper"] + ["added"] * (version == 2)
    codes = {name: compile(source(name, version), f"{name}.py", "exec") for name in names}
    ZlibArchiveWriter(
        str(work / "PYZ.pyz"), [(name, f"{name}.py", "PYMODULE") for name in names], codes
    )
    (work / "main.py").write_text(source("main", version, 3))
    (work / "library.so").write_bytes(elf)
    (work / "empty").write_bytes(b"")
    CArchiveWriter(
        str(work / "program.pkg"),
        [
            ("main", str(work / "main.py"), True, "s"),
            ("PYZ.pyz", str(work / "PYZ.pyz"), False, "z"),
            ("library.so", str(work / "library.so"), True, "b"),
        ]
        + [("empty", str(work / "empty"), True, "x")] * (version == 2),
        pylib_name="libpython3.11.so.1.0",
    )
    return elf + (work / "program.pkg").read_bytes()


def tree(version, elf, work):
    pycs = {name: pyc(name, version) for name in ("codecs", "enum", "io", "re")}
    lines = [f"{n};{n * n % 977};row\n" for n in range(600)]
    if version == 2:
        lines[100] = "100;another;row\n"
        del lines[300:303]
    text = "".join(lines).encode()
    long = text * 4
    samples = pathlib.Path(__file__).parents[3] / "stub/src/bundle/patch/marshal/samples"
    kind = ["old", "new"][version - 1]
    older = {n: (samples / f"{n}-{kind}").read_bytes() for n in ("37", "38")}
    yield "program", program(version, elf, work)
    yield "base_library.zip", zip_file(
        [
            ("codecs.pyc", pycs["codecs"], 8, deflate(6, pycs["codecs"])),
            ("enum.pyc", pycs["enum"], 8, deflate(9, pycs["enum"])),
            ("io.pyc", pycs["io"], 0, pycs["io"]),
            ("re.pyc", pycs["re"], 8, ng("whole", 6, pycs["re"])),
            ("table-1", text, 8, ng("whole", 9, text)),
            ("table-2", long, 8, ng("pieces", 6, long)),
            ("table-3", text, 8, ng("pieces", 1, text)),
            ("table-4", text, 8, deflate(1, text)),
        ]
    )
    yield "lib/module.pyc", pyc("module", version)
    for n, bytes_ in older.items():
        yield f"lib/module{n}.pyc", b"\x42\r\r\n" + bytes(12) + bytes_
    yield "data/table.txt", text
    yield "data/kept.txt", b"kept\n"
    yield f"data/moved-{version}.txt", b"moved\n" * 20


folder, *trees = map(pathlib.Path, sys.argv[1:])
for version, name in [(1, "old"), (2, "new")]:
    elf = (trees[version - 1] / "elf-x86_64.so").read_bytes()
    with tempfile.TemporaryDirectory() as work:
        for path, content in tree(version, elf, pathlib.Path(work)):
            place = folder / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
