"""Gradient diagnostics before training, as a value."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.lab.api.given import case_of
from equipoise.lab.api.results import text_of
from equipoise.lab.probing import Probe, probe_parts, render_sections, write_page
from equipoise.lab.probing import probe as measure
from equipoise.lab.probing.words import give_conflict, give_cost, give_headline, to_paste
from equipoise.lab.training.generators import generators_kept

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Group

FIGURES = ("norms", "cosines")


def probe(case: Any, *, batches: int = 8, steps: int = 100, seed: int = 0) -> "GradientDiagnostics":
    """Measure the tasks' gradients on a case at initialisation, and again after some steps of the plain sum.

    Args:
        case: A case by name, as ``path/to/file.py:make_case``, a ``Case``, or a recipe such as a ``TableCase``.
            Validation and test are not read.
        batches: Of the training split.
        steps: Of training before the second measurement; 0: none.
        seed: Of initialisation and batches.

    Raises:
        ValueError: The case cannot be made, has one task or shares nothing, or an argument is out of its range.
    """
    with generators_kept():
        return GradientDiagnostics(measure(case_of(case), batches=batches, steps=steps, seed=seed))


@dataclass(frozen=True, repr=False)
class GradientDiagnostics:
    """Gradient norms, conflict, cost per step and a suggested starting point; what ``equipoise probe`` prints.

    Args:
        probe: All that was measured.
    """

    probe: Probe

    @property
    def headline(self) -> str:
        """Whether tasks conflict, in one sentence."""
        return give_headline(self.probe)

    @property
    def details(self) -> tuple[str, ...]:
        """What that means, the cost per step, and the reason for the weights."""
        return give_conflict(self.probe), give_cost(self.probe), self.probe.suggestion.reason

    @property
    def weights(self) -> dict[str, float]:
        """Suggested starting weights by task, their mean 1; empty where nothing is suggested."""
        return dict(self.probe.suggestion.weights)

    @property
    def code(self) -> str:
        """Python with these weights; empty where nothing is suggested."""
        return to_paste(self.probe)

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures that ``plot`` can draw."""
        return FIGURES

    def plot(self, name: str = "cosines") -> "Figure":
        """A matplotlib figure, a panel for each moment: ``norms`` or ``cosines``.

        Raises:
            ValueError: There is no such figure, or nothing to draw in it.
        """
        from equipoise.lab.probing import charts
        from equipoise.lab.reports.palette import looks
        from equipoise.lab.reports.static import draw

        if name not in FIGURES:
            raise ValueError(f"no figure {name!r}: there are {', '.join(FIGURES)}")
        return draw(getattr(charts, name)(self.probe), looks((charts.MARK,)))

    def save_report(self, page: str | Path = "probe.html") -> Path:
        """Write the same as one HTML file; its folder must be there.

        Returns:
            The path of the page.
        """
        write_page(self.probe, Path(page))
        return Path(page)

    def __rich__(self) -> "Group":
        from rich.console import Group

        return Group(*probe_parts(self.probe))

    def __str__(self) -> str:
        return text_of(self)

    def __repr__(self) -> str:
        return f"<GradientDiagnostics of {self.probe.title}: {self.headline}>"

    def _repr_html_(self) -> str:
        return render_sections(self.probe)
