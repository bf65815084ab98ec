"""What the build of the site writes itself: the API reference, a page per method and loss, the sidebar, ``llms.txt``.

``docs/index.md`` is the one table of contents: a heading for each group, a list of links under it. It is read on the
repository's host as it is, becomes the sidebar, and is ``llms.txt`` with the addresses of the pages' text.
"""

import re
from collections import defaultdict
from importlib import import_module
from inspect import getdoc, isclass, ismodule, isroutine, signature
from pathlib import Path
from typing import Any

import loss_pages
import method_pages
from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import mock
from sphinx.util.inspect import stringify_signature

PACKAGE = Path(__file__).parents[1] / "src" / "equipoise"
TRAINERS = PACKAGE / "trainers"
PUBLIC = (
    *("equipoise", "equipoise.lab", "equipoise.losses", "equipoise.testing"),
    *(f"equipoise.trainers.{file.stem}" for file in sorted(TRAINERS.glob("[a-z]*.py")) if file.stem != "reported"),
)
IN_FAMILIES = ("equipoise", "equipoise.losses")  # a page for each module below them that public names come from
PACKAGES = ("aggregation", "weighting", "wrapping")  # families of ``equipoise``; the rest is its core
DATA = {  # what is neither class nor function, and so has no docstring of its own
    "EXCEPTIONS": "{class of a method: {law: why it does not hold}}.",
    "LAWS": "Every law, in the order in which they are checked.",
    "NUM_TASKS": "A method whose arguments name the tasks one by one must be made for so many.",
    "Law": "Called with a ``Make``; raises an ``AssertionError`` where the law does not hold.",
    "Make": "Called without arguments; returns a new, unbound method.",
}
HOME = '<!doctype html><meta http-equiv="refresh" content="0; url={}.html"><title>equipoise</title>\n'
WRITTEN = {"methods": method_pages, "losses": loss_pages}  # folders, each below the page of its name
ARROW = '<span class="icon"><svg><use href="#svg-arrow-right"></use></svg></span>'  # as furo's
LINK = re.compile(r"^- \[(?P<title>[^\]]+)\]\((?P<path>[^)]+)\)", re.MULTILINE)


def imported_by_trainers() -> set[str]:
    """The packages that the files for trainers need; where one is not installed, something stands in for it."""
    text = "".join(file.read_text(encoding="utf-8") for file in TRAINERS.glob("*.py"))
    return {*re.findall(r"^ *(?:from|import) (\w+)", text, re.MULTILINE)} - {"equipoise"}


def public_names(module: str) -> list[str]:
    """``__all__``, or else what is defined in the module and has no underscore."""
    found = import_module(module)
    own = [name for name, it in vars(found).items() if getattr(it, "__module__", None) == module and name[0] != "_"]
    return list(getattr(found, "__all__", own))


def families(module: str) -> dict[str, list[str]]:
    """Public names by the module that they come from; all under the module's own name where it has one page."""
    if module not in IN_FAMILIES:
        return {module: public_names(module)}
    found = defaultdict[str, list[str]](list, {module: []})
    for name in public_names(module):
        it = getattr(import_module(module), name)
        family = (getattr(it, "__module__", None) or module).removeprefix(f"{module}.").split(".")[0]
        inside = family != module and (module != "equipoise" or family in PACKAGES)
        found[f"{module}.{family}" if inside else module].append(name)
    return dict(sorted(found.items()))


def directive(module: str, name: str) -> str:
    """The one that documents a public name."""
    it: Any = getattr(import_module(module), name)
    if ismodule(it):
        return f":mod:`{module}.{name}` is a module of its own.\n"
    if isclass(it):
        return f".. autoclass:: {module}.{name}\n   :members:\n"
    if isroutine(it):
        return f".. autofunction:: {module}.{name}\n"
    return f".. py:data:: {name}\n\n   {DATA[name]}\n"


def api_page(module: str, family: str, names: list[str]) -> str:
    """The page of a family in reStructuredText, which autodoc writes."""
    first = (getdoc(import_module(family)) or "").partition("\n")[0]
    lines = [family, "=" * len(family), "", first, ""]
    if family == module:
        below = [f"   {other}" for other in families(module) if other != module]
        lines += [f".. module:: {module}", "", ".. toctree::", *(below and ["   :maxdepth: 1", "", *below]), ""]
    told = [name for name in names if isclass(it := getattr(import_module(module), name)) or isroutine(it)]
    if told:
        lines += [f".. currentmodule:: {module}", "", ".. autosummary::", "   :nosignatures:", ""]
        lines += [f"   {name}" for name in told]
    return "\n".join([*lines, "", *(directive(module, name) for name in names)])


def write_api(app: Sphinx) -> None:
    """``docs/api/``, each page only where it changes, so that a second build reads what is new alone."""
    folder = Path(app.confdir) / "api"
    folder.mkdir(exist_ok=True)
    with mock(app.config.autodoc_mock_imports):
        pages = {
            f"{family}.rst": api_page(module, family, names)
            for module in PUBLIC
            for family, names in families(module).items()
        }
    for path in folder.glob("*.rst"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text:
            (folder / name).write_text(text, encoding="utf-8")


def write_rows(app: Sphinx) -> None:
    """``docs/methods/`` and ``docs/losses/``; a picture is drawn anew where the package has changed since."""
    files = [*Path(app.confdir).glob("*.py"), *PACKAGE.rglob("*.py")]
    changed = max(file.stat().st_mtime for file in files if "lab" not in file.parts)
    for name, module in WRITTEN.items():
        folder = Path(app.confdir) / name
        folder.mkdir(exist_ok=True)
        texts = module.pages(folder, changed)
        for path in folder.iterdir():
            if path.name not in texts:
                path.unlink()
        for file, text in texts.items():
            path = folder / file
            drawn = path.suffix == ".html" and path.exists() and path.stat().st_mtime <= changed
            if drawn or not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")


def linked(page: str, text: str) -> str:
    """The page of all methods or losses with links to the page of each, which are on the site alone."""
    links = {
        "methods": {
            r"^## How to read it$": "[Pictures of all methods](methods/pictures.md) on the same two losses.\n\n\\g<0>",
            r"^\| \[`([\w-]+)`\]\(#\1\)": r"| [`\1`](methods/\1.md)",
            r"^### ([\w-]+)$": r"### \1\n\n[Pictures, properties, tests](methods/\1.md)",
        },
        "losses": {r"^\| (`(?:\w+\.)*(\w+)[^`]*`)": r"| [\1](losses/\2.md)"},
    }
    for pattern, link in links[page].items():
        text = re.sub(pattern, link, text, flags=re.MULTILINE)
    return text


def toctree(caption: str, pages: list[str]) -> str:
    """A group of the sidebar."""
    return "\n".join(
        ["```{toctree}", ":hidden:", *([f":caption: {caption}"] if caption else []), "", *pages, "```", ""]
    )


def add_sidebar(app: Sphinx, docname: str, source: list[str]) -> None:
    """The lists of the index as groups of the sidebar; the pages that are written here, under the API's page."""
    if docname == app.config.root_doc:
        _, *groups = re.split(r"^## ", source[0], flags=re.MULTILINE)
        for group in groups:
            caption, _, text = group.partition("\n")
            source[0] += "\n" + toctree(caption, [f"{link['title']} <{link['path']}>" for link in LINK.finditer(text)])
    if (page := docname.removeprefix("docs/")) in WRITTEN:
        source[0] = linked(page, source[0])
    if docname == "docs/api":
        source[0] += "\n" + toctree("", [f"api/{module}" for module in PUBLIC])
    if docname == "docs/trainers":
        pages = sorted((Path(app.confdir) / "integrations").glob("*.md"))
        source[0] += "\n" + toctree("", [f"integrations/{page.stem}" for page in pages])


def show_rows(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """In the sidebar of a method's or loss's page, and of the page of all, links to each of them below the latter.

    A toctree of them, which every page of the site resolves and parses, makes the build take almost twice as long.
    """
    folder, _, here = pagename.removeprefix("docs/").partition("/")
    if folder not in WRITTEN or pagename == folder:
        return
    links = "".join(
        f'<li class="toctree-l2{" current-page" * (name == here)}"><a class="reference internal" '
        f'href="{context["pathto"](f"docs/{folder}/{name}")}">{name}</a></li>'
        for name in WRITTEN[folder].names()
    )
    box = f'checked="" class="toctree-checkbox" id="toctree-{folder}" role="switch" type="checkbox"'
    fold = f'<input aria-label="Toggle navigation of {folder}" {box}/><label for="toctree-{folder}">{ARROW}</label>'
    own = re.escape(context["pathto"](f"docs/{folder}"))
    line = rf'<li class="(toctree-l1[^"]*)">(<a class="[^"]*" href="{own}">[^<]*</a>)</li>'
    tree, found = re.subn(
        line, rf'<li class="\1 has-children">\2{fold}<ul>{links}</ul></li>', context["furo_navigation_tree"]
    )
    assert found == 1, f"the sidebar of {pagename} has no line of docs/{folder}.md"
    context["furo_navigation_tree"] = tree


def escape(app: Sphinx, what: str, name: str, it: object, options: object, lines: list[str]) -> None:
    """Before napoleon reads a docstring: ``|`` and ``*`` are no markup, and a colon gives no type."""
    literal: int | None = None  # the indent of the line that began a literal block
    for place, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if literal is not None and line and indent <= literal:
            literal = None
        if literal is None and not line.lstrip().startswith((">>>", "...")):
            outside = re.split(r"(``.+?``)", line)
            outside[::2] = [re.sub(r"(?<!\\)[|*]", r"\\\g<0>", text) for text in outside[::2]]
            lines[place] = "".join(outside)
            literal = indent if line.endswith("::") else None
    if what in ("attribute", "property") and lines:
        lines[0] = f": {lines[0]}"


def of_init(app: Sphinx, what: str, name: str, it: Any, options: object, text: str, result: str) -> Any:
    """The arguments of a class whose ``__new__`` takes whatever its ``__init__`` takes; autodoc shows the former's."""
    if what != "class" or not (text or "").startswith(("(*_: object", "(*args: Any, **kwargs: Any)")):
        return None
    own = signature(it.__init__)
    own = own.replace(parameters=[*own.parameters.values()][1:])
    return stringify_signature(own, show_return_annotation=False, unqualified_typehints=True), None


def leave_out_sidebar(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """Of the pages of source, which are reached from the API reference: a sidebar takes a quarter of a second."""
    if page.startswith("_modules/"):
        del context["toctree"]


def write_more(app: Sphinx, exception: Exception | None) -> None:
    """``llms.txt``, the index with the addresses of each page's Markdown; a first page that leads to the index."""
    if exception is None and app.builder.name == "html":
        index = (Path(app.confdir) / "index.md").read_text(encoding="utf-8")
        text = LINK.sub(lambda link: link[0].replace(f"({link['path']})", f"({text_of(link['path'])})"), index)
        (Path(app.outdir) / "llms.txt").write_text(text, encoding="utf-8")
        (Path(app.outdir) / "index.html").write_text(HOME.format(app.config.root_doc), encoding="utf-8")


def text_of(path: str) -> str:
    """Where the site has the text of a page that docs/index.md names."""
    return f"_sources/{path.removeprefix('../') if path.startswith('../') else f'docs/{path}'}.txt"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to the build."""
    app.connect("builder-inited", write_api)
    app.connect("builder-inited", write_rows)
    app.connect("source-read", add_sidebar)
    app.connect("autodoc-process-docstring", escape, priority=400)
    app.connect("autodoc-process-signature", of_init)
    app.connect("html-page-context", leave_out_sidebar, priority=400)  # before the theme takes it up
    app.connect("html-page-context", show_rows, priority=900)  # after furo has made the sidebar
    app.connect("build-finished", write_more)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
