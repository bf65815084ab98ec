"""Whether a tag may be released: ``release.py TAG [REPOSITORY]``; one line and status 1 where not.

The tag is ``v`` and the version of ``equipoise/__init__.py``, whose section is the newest of CHANGELOG.md and has a
date; nothing is left under *Unreleased*; the recipe has the same version; with REPOSITORY, pyproject.toml names it.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
UNRELEASED = "Unreleased"


def read(name: str) -> str:
    """A file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def only(pattern: str, name: str) -> str:
    """What the one group of a pattern is in a file."""
    (found,) = re.findall(pattern, read(name), re.MULTILINE)
    return str(found)


def version() -> str:
    """That of the package, the one place where it is written down."""
    return only(r'^__version__ = "(.+)"$', "src/equipoise/__init__.py")


def sections() -> dict[str, str]:
    """The text of each section of the changelog by its heading, as ``[0.2.0rc1] - 2026-12-01`` or ``[Unreleased]``."""
    _, *parts = re.split(r"^## ", read("CHANGELOG.md"), flags=re.MULTILINE)
    return {heading: text.strip() for heading, _, text in (part.partition("\n") for part in parts)}


def problems(tag: str, repository: str | None = None) -> list[str]:
    """What has to be done before the tag can be released."""
    number, found = version(), sections()
    dated = next((heading for heading in found if heading != f"[{UNRELEASED}]"), "")
    named = only(r'^repository = "(.*)"', "pyproject.toml")
    wrong = {
        f"the tag is {tag}, the version {number}: tag v{number}": tag != f"v{number}",
        f"CHANGELOG.md begins with '{dated}': begin it with '[{number}] - YEAR-MONTH-DAY'": not re.fullmatch(
            rf"\[{re.escape(number)}\] - \d{{4}}-\d\d-\d\d", dated
        ),
        f"CHANGELOG.md has lines under {UNRELEASED}: move them under {number}": bool(found.get(f"[{UNRELEASED}]")),
        f"recipe/recipe.yaml is of another version than {number}": only(r'^  version: "(.+)"$', "recipe/recipe.yaml")
        != number,
        f"pyproject.toml names the repository '{named}': write '{repository}' there": repository not in (None, named),
    }
    return [line for line, is_so in wrong.items() if is_so]


if __name__ == "__main__":
    found = problems(*sys.argv[1:])
    print(*found, sep="\n", file=sys.stderr)
    sys.exit(bool(found))
