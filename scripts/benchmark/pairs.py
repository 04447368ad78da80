"""The pairs of releases that are measured, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union


@dataclass(frozen=True)
class Own:
    """Bundles of scripts/make-bench-bundles: an application of our own, in two states."""

    old: str
    new: str


@dataclass(frozen=True)
class Bumped:
    """A small application, bundled with one release of a package after the other."""

    package: str
    versions: tuple[str, ...]
    program: str
    # What else is in all of the bundles.
    beside: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    mode: str = "onedir"


@dataclass(frozen=True)
class LargeFile:
    """One large file of data, changed in a few places, with a stretch inserted."""

    megabytes: int


@dataclass(frozen=True)
class Pair:
    """Releases, the first and the last of which are compared."""

    source: Union[Own, Bumped, LargeFile]
    about: str
    # Roughly, on two cores; without tufup, and with it.
    minutes: tuple[int, int]
    by_default: bool = True
    # At most so many runs of what is measured more than once.
    runs: int = 5


NUMPY = """
import json
import numpy
from numpy import fft, linalg, random
print(numpy.__version__, json.dumps([float(linalg.det(numpy.eye(3))), float(fft.fft(numpy.ones(4)).real[0])]))
"""
SQLALCHEMY = """
import sqlalchemy
import sqlalchemy.orm
engine = sqlalchemy.create_engine("sqlite://")
print(sqlalchemy.__version__, engine.connect().execute(sqlalchemy.text("select 1")).scalar())
"""
SYMPY = """
import sympy
x = sympy.symbols("x")
print(sympy.__version__, sympy.integrate(sympy.sin(x) * x, x))
"""
DJANGO = """
import django
from django.conf import settings
database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
applications = ["django.contrib.contenttypes", "django.contrib.auth"]
settings.configure(INSTALLED_APPS=applications, DATABASES={"default": database})
django.setup()
from django.contrib.auth.models import User
print(django.__version__, User._meta.label)
"""
SCIENCE = """
import scipy.optimize, scipy.signal, scipy.stats
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
print(sklearn.__version__, scipy.__version__, LinearRegression().fit([[0], [1]], [0, 1]).coef_)
"""

PAIRS = {
    "small-code": Pair(Own("small-old", "small-code"), "44 MB, the application's code changed", minutes=(1, 2)),
    "mid-code": Pair(Own("mid-old", "mid-code"), "120 MB, the application's code changed", minutes=(3, 6)),
    "mid-dep": Pair(Own("mid-old", "mid-dep"), "120 MB, the code and numpy changed", minutes=(4, 7)),
    "big-dep": Pair(Own("big-old", "big-dep"), "274 MB, the code and Qt changed", minutes=(8, 15)),
    "onefile-numpy": Pair(
        Bumped("numpy", ("2.4.5", "2.4.6"), NUMPY, mode="onefile"),
        "one file (--onefile), numpy 2.4.5 to 2.4.6",
        minutes=(2, 3),
    ),
    "onedir-sqlalchemy": Pair(
        Bumped("sqlalchemy", ("2.0.57", "2.0.58"), SQLALCHEMY),
        "pure Python, sqlalchemy 2.0.57 to 2.0.58",
        minutes=(2, 3),
    ),
    "onedir-sympy": Pair(
        Bumped("sympy", ("1.13.3", "1.14.0"), SYMPY),
        "pure Python, sympy 1.13.3 to 1.14.0",
        minutes=(2, 3),
        by_default=False,
    ),
    "onedir-django": Pair(
        Bumped("django", ("5.2.18", "5.2.19"), DJANGO, options=("--collect-submodules", "django")),
        "pure Python, django 5.2.18 to 5.2.19",
        minutes=(3, 5),
        by_default=False,
    ),
    "behind-sqlalchemy": Pair(
        Bumped("sqlalchemy", ("2.0.55", "2.0.56", "2.0.57", "2.0.58"), SQLALCHEMY),
        "three releases behind, sqlalchemy 2.0.55 to 2.0.58",
        minutes=(2, 4),
    ),
    "behind-numpy": Pair(
        Bumped("numpy", ("2.4.3", "2.4.4", "2.4.5", "2.4.6"), NUMPY, mode="onefile"),
        "three releases behind, one file, numpy 2.4.3 to 2.4.6",
        minutes=(3, 5),
        by_default=False,
    ),
    "onedir-sklearn": Pair(
        Bumped("scikit-learn", ("1.7.1", "1.7.2"), SCIENCE, beside=("numpy==2.4.5", "scipy==1.16.2")),
        "rebuilt libraries, scikit-learn 1.7.1 to 1.7.2",
        minutes=(12, 20),
        by_default=False,
        runs=3,
    ),
    "onedir-scipy": Pair(
        Bumped("scipy", ("1.16.1", "1.16.2"), SCIENCE, beside=("numpy==2.4.5", "scikit-learn==1.7.2")),
        "rebuilt libraries, scipy 1.16.1 to 1.16.2",
        minutes=(12, 20),
        by_default=False,
        runs=3,
    ),
    "large-file": Pair(
        LargeFile(250), "a file of 250 MB, changed in a few places", minutes=(12, 15), by_default=False, runs=3
    ),
    "large-file-2300": Pair(
        LargeFile(2300),
        "a file of 2.3 GB, changed in a few places",
        minutes=(15, 20),
        by_default=False,
        runs=1,
    ),
}
LARGE = "large-file-2300"


def chosen(names: str) -> list[str]:
    """The pairs of names with commas between them; `default` and `all` stand for several."""
    groups = {
        "default": [name for name, pair in PAIRS.items() if pair.by_default],
        "all": [name for name in PAIRS if name != LARGE],
    }
    wanted = {pair for name in names.split(",") for pair in groups.get(name, [name])}
    unknown = wanted - set(PAIRS)
    if unknown:
        raise ValueError(f"no pair {', '.join(sorted(unknown))}; there are {', '.join(PAIRS)}, default, all")
    return [name for name in PAIRS if name in wanted]


def described() -> str:
    """The pairs as lines of --help."""
    return "\n".join(
        f"  {name:18} {pair.about}; {pair.minutes[0]} min, {pair.minutes[1]} with tufup"
        + (" (default)" if pair.by_default else "")
        for name, pair in PAIRS.items()
    )
