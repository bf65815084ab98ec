"""Pages in Chinese follow the English ones: the same headings, level by level, the same code, the same links."""

import re
from pathlib import Path

import pytest

from equipoise.losses.catalog import ROWS, find_losses
from equipoise.registry import find_methods, methods

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = {
    "README.md": "README.zh.md",
    **{f"docs/{path.name}": f"docs/zh/{path.name}" for path in (ROOT / "docs" / "zh").glob("*.md")},
}
OWN = ("docs/glossary.md",)  # no English page has it


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def levels(text):
    return [len(marks) for marks in re.findall(r"^(#+) ", BLOCK.sub("", text), re.MULTILINE)]


@pytest.mark.parametrize("page", [page for page in PAGES if page not in OWN])
def test_a_page_has_the_headings_and_the_code_of_the_english_one(page):
    english, chinese = text_of(page), text_of(PAGES[page])
    assert levels(chinese) == levels(english)
    assert BLOCK.findall(chinese) == BLOCK.findall(english)
    tables = [re.findall(r"^\|.*\|$", BLOCK.sub("", text), re.MULTILINE) for text in (english, chinese)]
    assert len(tables[0]) == len(tables[1])


def test_words_of_the_glossary_find_what_stands_beside_them():
    """By ``equipoise methods WORD`` and ``equipoise losses WORD``, of a word whose row names methods or losses."""
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]*) \|$", text_of("docs/zh/glossary.md"), re.MULTILINE)
    looked_up = 0
    for words, ours in rows:
        named = re.findall(r"`(?:eq\.)?(?:losses\.|nn\.)?([\w-]+)`", ours)
        for table, find in ((methods(), find_methods), (ROWS, find_losses)):
            expected = {row.name for row in table if {row.name, type_of(row)} & {*named}}
            for word in words.split("，") if expected else ():
                looked_up += 1
                assert {row.name for row in find(word)} & expected, word
    assert looked_up > 30


def type_of(row):
    """The class that a row of either table is about."""
    return row.cls.__name__ if hasattr(row, "cls") else re.sub(r"\(.*", "", row.code).rpartition(".")[2]
