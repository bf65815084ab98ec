"""How a method looks: the same colour, mark and short name in every figure.

The seven hues stay apart under protanopia, deuteranopia and tritanopia (Machado et al., 2009) and have a
contrast of at least 3 to 1 on their background; light and dark use lighter or darker forms of one hue.
The mark differs too, so no figure relies on colour.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath

from equipoise.lab.arms import parse_arm
from equipoise.lab.evaluation import SINGLE_TASK

LIGHT = ("#1e3d7f", "#c70702", "#156e41", "#9f2fbf", "#a8763c", "#1287cd", "#711746")
DARK = ("#5a74ff", "#e0703a", "#69d091", "#fc75fe", "#eee83f", "#91eefe", "#a06db8")
NEUTRAL = ("#6b7280", "#a3abb8")  # single-task networks: the baseline, not compared

# plotly's name, matplotlib's name, and the mark drawn in a 16 x 16 box for the page's own legend
MARKS = (
    ("circle", "o", '<circle cx="8" cy="8" r="5"/>'),
    ("square", "s", '<rect x="3.5" y="3.5" width="9" height="9"/>'),
    ("triangle-up", "^", '<path d="M8 2.5 14 13H2z"/>'),
    ("diamond", "D", '<path d="M8 2 14 8 8 14 2 8z"/>'),
    ("triangle-down", "v", '<path d="M8 13.5 2 3h12z"/>'),
    ("pentagon", "p", '<path d="M8 2 13.7 6.1 11.5 12.9H4.5L2.3 6.1z"/>'),
    ("hexagon", "h", '<path d="M8 2 13.2 5v6L8 14 2.8 11V5z"/>'),
    ("star", "*", '<path d="M8 1.5 10 6.2 15 6.6 11.2 9.9 12.4 14.8 8 12.2 3.6 14.8 4.8 9.9 1 6.6 6 6.2z"/>'),
)
SINGLE_TASK_MARK = ("x", "X", '<path d="M4 2 8 6l4-4 2 2-4 4 4 4-2 2-4-4-4 4-2-2 4-4-4-4z"/>')
LONGEST_LABEL = 24  # characters; longer names keep their end, where files differ


@dataclass(frozen=True)
class Look:
    """One method's appearance."""

    label: str
    light: str
    dark: str
    plotly_mark: str
    matplotlib_mark: str
    svg_mark: str


def looks(methods: tuple[str, ...], single_task: str = SINGLE_TASK) -> dict[str, Look]:
    """Method name -> its look, given by its place in ``methods``.

    With more than seven methods a colour returns with another mark.
    """
    labels = _labels(methods)
    contestants = [name for name in methods if name != single_task]
    found: dict[str, Look] = {}
    for name in methods:
        if name == single_task:
            found[name] = Look(labels[name], *NEUTRAL, *SINGLE_TASK_MARK)
        else:
            place = contestants.index(name)
            light, dark = LIGHT[place % len(LIGHT)], DARK[place % len(DARK)]
            found[name] = Look(labels[name], light, dark, *MARKS[place % len(MARKS)])
    return found


def _labels(methods: tuple[str, ...]) -> dict[str, str]:
    """Short, still unique names: a method given as path/to/file.py:Name loses its folders."""
    short = {name: PurePath(name).name if parse_arm(name).files else name for name in methods}
    short = {
        name: label if len(label) <= LONGEST_LABEL else "…" + label[1 - LONGEST_LABEL :]
        for name, label in short.items()
    }
    count = Counter(short.values())
    return {name: label if count[label] == 1 else name for name, label in short.items()}
