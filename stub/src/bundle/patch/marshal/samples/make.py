"""Makes the samples: once with each Python, python3.X make.py."""

import marshal
import pathlib
import sys

OLD = '''"""A module."""
import os
N = 1000


def first(a, b=2):
    """Adds."""
    return a + b + N


class Second(object):
    name = "second"

    def method(self, *args):
        return [first(x, 70000) for x in args if x in {1.5, 2 ** 80, 3j}]


def third(self):
    return os.path.join(self.name, "x" * N, b"bytes", "größer", ...)
'''
NEW = OLD.replace("N = 1000\n", 'N = 1000\nADDED = ("added", "also")\n\n')

folder = pathlib.Path(__file__).parent
version = "".join(map(str, sys.version_info[:2]))
for name, text in [("old", OLD), ("new", NEW)]:
    code = compile(text, "m.py", "exec")
    (folder / f"{version}-{name}").write_bytes(marshal.dumps(code))
