"""The names of ready cases, which a wrong one is compared with before anything heavy is imported."""

from pathlib import Path

from equipoise.lab.data.table import ENDINGS
from equipoise.names import nearest

READY = (
    "reviews",
    "tox21",
    "census",
    "census-college",
    "coffee-leaf",
    "coffee-leaf-all",
    "goemotions",
    "goemotions-sentences",
    "goemotions-groups",
    "goemotions-groups-sentences",
)
_EXAMPLES = {
    "captions": "examples/cases/captions.py:make_case",
    "flickr8k": "examples/cases/captions.py:flickr8k",
    "scenes": "examples/cases/scenes.py:make_case",
}  # that were in the package


def require_case_name(name: str) -> None:
    """Raise a ValueError unless this is the name of a ready case, or ``path/to/file.py:name``, whatever is there."""
    if name.endswith(".py"):
        raise ValueError(f"{name} needs the name of what makes the case, such as {name}:make_case")
    if name.endswith((".yaml", ".yml")):
        raise ValueError(f"{name} is a configuration: write --config {name}")
    if name.rpartition(":")[0].endswith(".py"):
        return
    if Path(name).suffix:
        raise ValueError(f"{name!r} must end in one of {', '.join(ENDINGS)}, be path/to/file.py:name, or a case's name")
    if name in _EXAMPLES:
        raise ValueError(
            f"case {name!r} is an example now: give {_EXAMPLES[name]} of the repository; a study that was made by the "
            "name can be reported, not resumed"
        )
    if name not in READY:
        raise ValueError(f"unknown case {name!r}; {nearest(name, READY)}")
