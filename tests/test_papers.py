"""docs/papers.md: every available method, with a class, a file and tests that exist."""

import re
from pathlib import Path

import pytest

import equipoise as eq
from equipoise.registry import AROUND

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
SHELF = {row.name: row for row in (*eq.methods(), *AROUND)}


def table(title: str) -> list[list[str]]:
    """The cells of the table under a heading, or of the first one."""
    after = PAGE[PAGE.index(f"\n## {title}\n") + 1 :] if title else PAGE
    lines = [line for line in after.split("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


METHODS = {cells[0].strip("`"): cells for cells in table("")}


@pytest.mark.parametrize("name", SHELF)
def test_a_line_leads_from_the_paper_to_the_class_its_file_and_tests_of_it(name):
    _, paper, cls, file, tests, _ = METHODS[name]
    row = SHELF[name]
    assert paper == row.paper
    assert cls == f"`{row.cls.__name__}`"
    (path,) = re.findall(r"\]\(\.\./(\S+)\)", file)
    assert re.search(rf"^class {row.cls.__name__}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    found = re.findall(r"\]\(\.\./(tests/\S+)\)", tests)
    assert found, f"write tests/{Path(path).parent.name}/test_{Path(path).stem}.py: no test names {row.cls.__name__}"
    for test in found:
        assert re.search(rf"\b{row.cls.__name__}\b", (ROOT / test).read_text(encoding="utf-8")), f"{test} tests another"


def test_other_names_are_methods_that_can_be_made():
    made = [
        eval(code, {"eq": eq})
        for cells in table("Here under another name")
        for code in re.findall(r"`(eq\..*?)`", cells[1])
    ]
    assert len(made) > 12
    assert all(isinstance(method, eq.Method) for method in made)


@pytest.mark.parametrize(
    "title",
    ["Open: fit the types here, and are not written", "Open: need more than one batch and its losses", "Left out"],
)
def test_what_is_not_here_has_a_reason_and_is_not_here(title):
    rows = table(title)
    assert rows
    for name, paper, reason in rows:
        assert paper, name
        assert len(reason.split()) > 1, name
        for one in re.split(r", | and ", name):
            assert one.lower().replace(" ", "-") not in SHELF, f"{one} is available by now: give it a line above"
