"""without_paths.py ROOT WHEEL...: takes the folder of the build out of the lists of components
(CycloneDX) that maturin puts into wheels, as nothing that is built says where."""

import base64
import hashlib
import sys
import zipfile
from pathlib import Path


def record_line(name, content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}"


def rewrite(wheel, root):
    with zipfile.ZipFile(wheel) as old:
        files = [(info, old.read(info)) for info in old.infolist()]
    lines = {}
    for at, (info, content) in enumerate(files):
        if "/sboms/" in info.filename:
            content = content.replace(f"file://{root}/".encode(), b"file:///notsotuf/")
            files[at] = info, content
            lines[info.filename] = record_line(info.filename, content)
    with zipfile.ZipFile(wheel, "w") as new:
        for info, content in files:
            if info.filename.endswith(".dist-info/RECORD"):
                text = content.decode()
                content = "".join(
                    lines.get(line.split(",")[0], line) + "\n" for line in text.splitlines()
                ).encode()
            new.writestr(info, content)


for path in sys.argv[2:]:
    rewrite(Path(path), sys.argv[1])
