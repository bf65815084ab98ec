"""The site: ``sphinx-build -M html . docs/_build -c docs -W --keep-going -n``, from the repository's folder.

The source is the whole repository, so that a page's links to source, tests and examples lead where they lead on the
host; its pages are docs/, what docs/index.md lists beside them, and the API reference, which site_pages.py writes.
"""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))

import site_pages  # noqa: E402

project = "equipoise"
author = "the equipoise authors"
version = release = re.search(
    r'^__version__ = "(.+)"$', (ROOT / "src/equipoise/__init__.py").read_text(encoding="utf-8"), re.MULTILINE
)[1]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "site_pages",
    "site_search",
]
root_doc = "docs/index"
include_patterns = ["docs/**", "CONTRIBUTING.md", "CHANGELOG.md", "examples/published/README.md"]
exclude_patterns = [
    *(path.name for path in ROOT.iterdir() if path.is_dir() and path.name not in ("docs", "examples")),
    "docs/_build",
]

html_theme = "furo"  # readable on a phone and in the dark as it comes, and nothing is loaded from the network
html_title = f"equipoise {release}"
html_copy_source = True  # llms.txt names these
html_show_copyright = False
html_search_scorer = str(ROOT / "docs" / "search_scorer.js")
html_show_search_summary = False  # a page opened as a file may not fetch another

myst_heading_anchors = 6  # links to headings, by the rules of the repository's host
autodoc_mock_imports = [name for name in site_pages.imported_by_trainers() if find_spec(name) is None]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_use_ivar = True
nitpicky = True
nitpick_ignore_regex = [
    # types of other packages: their pages are on the network, and the build needs none
    ("py:class", r"(?!equipoise\.)\w+(\.\w+)+(\[str)?|Executor|Figure|Module"),
    # types of public signatures that have no public name; tests/test_site.py sees that what has one is there
    ("py:class", r"equipoise\.([a-z_]+\.)+[A-Z]\w+"),
]
