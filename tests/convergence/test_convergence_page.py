from pathlib import Path

from page import HEAD, INTRODUCTION, told

import equipoise as eq

PAGE = Path(__file__).parents[2] / "docs" / "convergence.md"


def test_the_page_has_the_rows_of_the_table_in_the_order_of_the_registry():
    """After a change: python tests/convergence/page.py > docs/convergence.md."""
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith(f"{INTRODUCTION}\n{HEAD}\n")
    lines = text.removeprefix(f"{INTRODUCTION}\n{HEAD}\n").splitlines()
    assert len(lines) == len(eq.methods())
    for line, row in zip(lines, eq.methods(), strict=True):
        assert line.startswith(told(row.name))
        assert line.count(" | ") == 6
