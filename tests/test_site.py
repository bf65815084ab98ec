"""The site is built without a warning; its links lead somewhere; the API reference has every public name."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from html import unescape
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

import equipoise
from equipoise.losses.catalog import ROWS
from equipoise.registry import AROUND

ROOT = Path(__file__).parent.parent
NEEDED = ("sphinx", "furo", "myst_parser")
MISSING = [package for package in NEEDED if find_spec(package) is None]
ANSWERED = {  # what a reader types: the page that stands first
    "losses different scale": "docs/faq.html",
    "NaN loss": "docs/faq.html",
    "multi-task worse than single-task": "docs/faq.html",
    "显存": "docs/zh/faq.html",
    "nash": "docs/api/equipoise.aggregation.html#equipoise.NashMTL",
    "FocalLoss": "docs/api/equipoise.losses.focal.html#equipoise.losses.FocalLoss",
}
LISTED = ("equipoise", "equipoise.lab", "equipoise.losses", "equipoise.testing")  # have __all__


def test_the_index_lists_every_page_once():
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- \[[^\]]+\]\(([^)]+)\): .+\.$", text, re.MULTILINE)
    assert listed == re.findall(r"^- .*\]\(([^)]+)", text, re.MULTILINE)  # one form, which the build reads
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}  # folders are below these
    assert sorted(path for path in listed if "/" not in path) == sorted(pages)
    assert len(set(listed)) == len(listed)


def public():
    """What ``__all__`` lists; of trainers, which need not be installed, what their files define."""
    names = {f"{module}.{name}" for module in LISTED for name in import_module(module).__all__}
    for file in Path(equipoise.__file__).parent.glob("trainers/*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            own = isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
            if own and file.stem != "reported":  # what they share
                names.add(f"equipoise.trainers.{file.stem}.{node.name}")
    return names


def documented(inventory):
    """Every Python name of an ``objects.inv``."""
    from sphinx.util.inventory import InventoryFile

    found = InventoryFile.loads(inventory.read_bytes(), uri="").data
    return {name for kind, names in found.items() if kind.startswith("py:") for name in names}


def broken_links(site):
    """``page: link`` of what points into the site at no file, or at no place of a page; scripts from elsewhere."""
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    places = defaultdict(set, {path: set(re.findall(r'\sid="([^"]+)"', text)) for path, text in pages.items()})
    broken = []
    for path, text in pages.items():
        for link in {unescape(found) for found in re.findall(r'\s(?:href|src)="([^"]*)"', text)}:
            if re.match(r"\w+:|//", link):
                continue
            file, _, place = link.partition("#")
            target = (path.parent / unquote(file.partition("?")[0])).resolve() if file else path
            known = not place or target.suffix != ".html" or unquote(place) in places[target]
            if not target.is_file() or not known:
                broken.append(f"{path.relative_to(site)}: {link}")
        broken += re.findall(r'<(?:script|img|link rel="stylesheet")[^>]*(?:https?:)?//[^>]*>', text)
    return broken


def seen_in(browser, site):
    """What goes wrong on a phone in the dark, by page: messages, the network, pictures, and what is wider than it."""
    page, wrong = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark"), []
    page.on("console", lambda message: wrong.append(f"{page.url}: {message.type}: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on("request", lambda request: wrong.append(request.url) if request.url.startswith(("http", "ws")) else None)
    look = """[document.documentElement.scrollWidth > innerWidth && "too wide",
        [...document.images].some(one => !one.naturalWidth) && "a broken picture",
        getComputedStyle(document.body).backgroundColor.match(/\\d+/g).some(part => part > 99) && "a light page"]"""
    alike = [path for folder in ("methods", "losses") for path in sorted((site / "docs" / folder).glob("*.html"))]
    skipped = {*alike} - {*alike[::12], site / "docs" / "methods" / "pictures.html"}  # which has all their pictures
    for path in sorted({*site.rglob("*.html")} - skipped):
        if "_modules" not in path.parts and path != site / "index.html":  # which leads to another
            page.goto(path.as_uri())
            wrong += [f"{path.relative_to(site)}: {fault}" for fault in page.evaluate(look) if fault]
    page.goto((site / "index.html").as_uri())
    page.wait_for_url("**/docs/index.html")
    page.goto((site / "search.html").as_uri() + "?q=nash")
    page.wait_for_selector("#search-results a[href*='docs/methods.html']")
    for words, answer in ANSWERED.items():
        page.goto((site / "search.html").as_uri() + "?q=" + quote(words))
        first = page.wait_for_selector("#search-results li > a").get_attribute("href")
        wrong += [f"{words}: {first} stands first"] * (not re.sub(r"\?[^#]*", "", first).endswith(answer))
    page.close()
    return wrong


def test_links_to_nothing_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<p id="here"></p><a href="#here"></a><a href="b.html#x"></a><img src="c.png">')
    (tmp_path / "b.html").write_text('<a href="a.html#there"></a><a href="https://a.org"></a><a href="a.html"></a>')
    (tmp_path / "d.html").write_text('<script src="https://a.org/b.js"></script><a href="a.html?q=1#here"></a>')
    assert sorted(broken_links(tmp_path)) == [
        '<script src="https://a.org/b.js">',
        *("a.html: b.html#x", "a.html: c.png", "b.html: a.html#there"),
    ]


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (extra docs)")
def test_words_of_a_chinese_page_are_pairs_of_characters(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    search = import_module("site_search").Search({})
    assert search.split("显存变成 NaN，不对") == ["显存", "存变", "变成", "NaN", "不对"]


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (extra docs)")
def test_the_site_is_whole(tmp_path, request):
    command = [sys.executable, "-m", "sphinx", "-M", "html", ROOT, tmp_path, "-c", ROOT / "docs"]
    strict = ["-W", "--keep-going", "-n", "-q"]
    built = subprocess.run([*command, *strict], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    site = tmp_path / "html"
    assert sorted(public() - documented(site / "objects.inv")) == []
    assert broken_links(site) == []
    focal = re.sub("<[^>]+>", "", (site / "docs/api/equipoise.losses.focal.html").read_text(encoding="utf-8"))
    assert re.search(r"class equipoise\.losses\.FocalLoss\(\s*gamma: float = 2\.0,", unescape(focal))
    for folder, rows in (("methods", (*equipoise.methods(), *AROUND)), ("losses", ROWS)):
        pages = {row.name: (site / "docs" / folder / f"{row.name}.html").read_text(encoding="utf-8") for row in rows}
        assert [name for name, text in pages.items() if not re.search(r'<svg viewBox="-8|No picture: ', text)] == []
        shown = [f'current-page"><a class="reference internal" href="#">{name}</a>' in pages[name] for name in pages]
        assert all(shown), "the sidebar of each shows its place among the others"
        of_all = (site / "docs" / f"{folder}.html").read_text(encoding="utf-8")
        assert [name for name in pages if f'href="{folder}/{name}.html"' not in of_all] == []
    llms = (site / "llms.txt").read_text(encoding="utf-8")
    linked = re.findall(r"^- .*\]\(([^)]+)", llms, re.MULTILINE)
    assert len(linked) > 30
    assert all((site / path).is_file() for path in linked)
    assert (site / "searchindex.js").stat().st_size > 100_000
    assert seen_in(request.getfixturevalue("browser"), site) == []
