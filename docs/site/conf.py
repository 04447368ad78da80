"""The documents of the work tree as a web site, by Sphinx: scripts/build-site."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
INDEX = "docs/README.md"
# Pages that list others, which are below them.
INDEXES = ["docs/decisions/README.md", "examples/README.md"]

project = "notsotuf"
extensions = ["myst_parser"]
root_doc = "README"
# Everything that people read, and nothing of what is built or downloaded.
folders = ["", "docs/", "docs/**/", "examples/", "examples/**/"]
include_patterns = [folder + "*.md" for folder in folders]
exclude_patterns = ["target", ".*", "bundler", "python", "scripts", "stub", "tests"]
# Links to headings, as GitHub names them.
myst_heading_anchors = 4
html_theme = "furo"
html_title = project
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False


def contents(index):
    """The pages that an index lists, by its sections; those without any have an empty name."""
    text = (ROOT / index).read_text()
    parts = re.split(r"^\*\*(.+?)\*\*", text, flags=re.M)
    for name, section in zip(["", *parts[1::2]], parts[::2]):
        links = re.findall(r"\]\(([^)#:]+)\.md", section)
        paths = [(ROOT / index).parent.joinpath(link).resolve() for link in links]
        yield name, list(dict.fromkeys(str(path.relative_to(ROOT)) for path in paths))


def add_contents(app, name, source):
    """Lists all pages beside the text: the documents are to be read without Sphinx, too."""
    if name == root_doc:
        sections = [("", [INDEX.removesuffix(".md"), *others()]), *contents(INDEX)]
    elif name + ".md" in INDEXES:
        sections = contents(name + ".md")
    else:
        return
    for caption, pages in sections:
        lines = ["", "```{toctree}", ":hidden:", f":caption: {caption}" if caption else "", ""]
        source[0] += "\n".join([*lines, *("/" + page for page in pages), "```", ""])


def others():
    """What is beside the README, and not in the index."""
    listed = {page for _, pages in contents(INDEX) for page in pages}
    return sorted({path.stem for path in ROOT.glob("*.md")} - listed - {root_doc})


def setup(app):
    app.connect("source-read", add_contents)
