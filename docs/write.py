"""Write every file that follows from other files: ``python docs/write.py``.

Exports of methods, names as types, tables and pages; what has to be measured is measured of new methods alone. Those
that were stale are named. ``tests/test_written.py`` names them, too.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from written import exports

ROOT = Path(__file__).parents[1]
Texts = Mapping[Path, Callable[[], str]]


def put(texts: Texts) -> None:
    """Write those of the files that are stale."""
    for path, text in texts.items():
        new = text()
        if not path.exists() or path.read_text(encoding="utf-8") != new:
            path.write_text(new, encoding="utf-8")
            print(path.relative_to(ROOT))


def pages() -> Texts:
    """The lists of methods and losses."""
    from equipoise import listings
    from equipoise.losses.catalog.losses_page import markdown

    return {
        ROOT / "docs" / "methods.md": lambda: f"{listings.methods_page()}\n",
        ROOT / "docs" / "losses.md": lambda: f"{markdown()}\n",
    }


def main() -> None:
    """Write all files, each after what it is made of."""
    put(exports.FILES)  # without which equipoise may not be importable
    from written import measured, name_types, paper_table, trainer_table

    put(name_types.FILES)
    for path in measured.COMMANDS:
        if measured.measure(path):
            print(path.relative_to(ROOT))
    put(paper_table.FILES | trainer_table.FILES | pages())


if __name__ == "__main__":
    main()
