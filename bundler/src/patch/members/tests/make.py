"""Makes the samples beside it, with the Python of a PyInstaller 6."""

import pathlib
import tempfile
import zipfile

from PyInstaller.archive.writers import CArchiveWriter, ZlibArchiveWriter

folder = pathlib.Path(__file__).parent
MODULES = [
    ("one", "def one():\n    return 1\n"),
    ("package", "from .two import two\n"),
    ("package.two", "def two(a, b):\n    return [a, b] * 2\n"),
    ("package.größer", "NAME = 'größer'\n"),
]

with tempfile.TemporaryDirectory() as work:
    work = pathlib.Path(work)
    codes = {name: compile(text, name, "exec") for name, text in MODULES}
    packages = {"package"}
    entries = [
        (name, f"{name}/__init__.py" if name in packages else f"{name}.py", "PYMODULE")
        for name, _ in MODULES
    ]
    ZlibArchiveWriter(str(work / "PYZ.pyz"), entries, codes)
    (work / "script.py").write_text("import package\nprint(package.two(1, 2))\n")
    (work / "struct.py").write_text("print('bootstrap')\n")
    (work / "table.txt").write_text("".join(f"row {n}\n" for n in range(200)))
    (work / "stored.bin").write_bytes(bytes(range(256)))
    CArchiveWriter(
        str(folder / "archive"),
        [
            ("script", str(work / "script.py"), True, "s"),
            ("struct", str(work / "struct.py"), True, "s"),
            ("PYZ.pyz", str(work / "PYZ.pyz"), False, "z"),
            ("data/table.txt", str(work / "table.txt"), True, "x"),
            ("data/stored.bin", str(work / "stored.bin"), False, "x"),
        ],
        pylib_name="libpython3.11.so.1.0",
    )

with zipfile.ZipFile(folder / "zipfile", "w", zipfile.ZIP_DEFLATED) as file:
    when = (1980, 1, 1, 0, 0, 0)
    for name in ("one.pyc", "package/two.pyc"):
        file.writestr(zipfile.ZipInfo(name, when), name * 100, zipfile.ZIP_DEFLATED)
    file.writestr(zipfile.ZipInfo("stored", when), "stored", zipfile.ZIP_STORED)
