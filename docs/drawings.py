"""Pictures of the site as SVG: lines, arrows and areas in a frame, in colours for a light and a dark page."""

from collections.abc import Iterable, Sequence

Point = tuple[float, float]

WIDTH, MARGIN = 320, 8  # in units of the drawing; a picture is as wide as its column, at most 24rem
INK, PALE = "var(--color-foreground-primary)", "var(--color-background-border)"
GREY = "var(--color-foreground-muted)"
FIRST, SECOND = "#3f8fd2", "#e08a2e"  # of tasks, or of targets
ROW = '<div style="display:flex;flex-wrap:wrap;gap:1rem;margin:1rem 0">\n{}\n</div>\n'


class Frame:
    """A part of the plane, drawn with equal or own scales along both axes; what lies outside is cut off."""

    def __init__(self, across: Point, up: Point, height: float, says: str) -> None:
        self.across, self.up, self.height, self.says = across, up, height, says
        self.parts: list[str] = []

    def at(self, point: Point) -> str:
        """A place in units of the drawing."""
        (left, right), (low, high) = self.across, self.up
        x = (point[0] - left) / (right - left) * WIDTH
        y = (high - point[1]) / (high - low) * self.height
        return f"{min(max(x, -1e4), 1e4):.1f},{min(max(y, -1e4), 1e4):.1f}"

    def line(self, points: Iterable[Point], colour: str, width: float = 2, more: str = "") -> None:
        """Through the points."""
        places = " ".join(map(self.at, points))
        self.parts.append(
            f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="{width}" '
            f'stroke-linejoin="round" {more}/>'
        )

    def area(self, points: Iterable[Point], colour: str, opacity: float) -> None:
        """Between the points."""
        self.parts.append(
            f'<polygon points="{" ".join(map(self.at, points))}" fill="{colour}" fill-opacity="{opacity}"/>'
        )

    def arrow(self, end: Point, colour: str, width: float = 2.5, more: str = "") -> None:
        """From the origin; its head is as long as five widths."""
        start, tip = ([float(part) for part in self.at(point).split(",")] for point in ((0.0, 0.0), end))
        along = [b - a for a, b in zip(start, tip, strict=True)]
        length = max(sum(part**2 for part in along) ** 0.5, 1e-9)
        x, y = (part / length * min(5 * width, length) for part in along)
        head = [(tip[0] - x * 1.0 + y * side, tip[1] - y * 1.0 - x * side) for side in (-0.45, 0.45)]
        neck = (tip[0] - 0.8 * x, tip[1] - 0.8 * y)
        self.parts.append(
            f'<g stroke="{colour}" fill="{colour}" {more}><line x1="{start[0]:.1f}" y1="{start[1]:.1f}" '
            f'x2="{neck[0]:.1f}" y2="{neck[1]:.1f}" stroke-width="{width}"/><polygon stroke="none" points="'
            f'{" ".join(f"{a:.1f},{b:.1f}" for a, b in (tip, *head))}"/></g>'
        )

    def ring(self, centre: Point, radii: Point, colour: str) -> None:
        """An ellipse, such as the places where a loss has one value."""
        x, y = self.at(centre).split(",")
        right, above = self.at((centre[0] + radii[0], centre[1] + radii[1])).split(",")
        self.parts.append(
            f'<ellipse cx="{x}" cy="{y}" rx="{float(right) - float(x):.1f}" ry="{float(y) - float(above):.1f}" '
            f'fill="none" stroke="{colour}" stroke-opacity="0.45"/>'
        )

    def dot(self, point: Point, colour: str, radius: float = 4) -> None:
        """At a place."""
        x, y = self.at(point).split(",")
        self.parts.append(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>')

    def word(self, point: Point, text: str, colour: str = INK, anchor: str = "middle") -> None:
        """Beside a place."""
        x, y = self.at(point).split(",")
        self.parts.append(f'<text x="{x}" y="{y}" fill="{colour}" font-size="13" text-anchor="{anchor}">{text}</text>')

    def axes(self, ticks: Sequence[float], levels: Sequence[float]) -> None:
        """Lines at the ticks and levels, with their numbers."""
        (left, right), (low, high) = self.across, self.up
        for tick in ticks:
            self.line([(tick, low), (tick, high)], PALE, 1)
            self.word((tick, low + 0.02 * (high - low)), f"{tick:.2g}".replace("-", "−"))
        for level in levels:
            self.line([(left, level), (right, level)], PALE, 1)
            self.word((left, level + 0.015 * (high - low)), f"{level:.2g}".replace("-", "−"), anchor="start")

    def svg(self) -> str:
        """The picture, with what it says for those who cannot see it."""
        box = f"{-MARGIN} {-MARGIN} {WIDTH + 2 * MARGIN} {self.height + 2 * MARGIN:g}"
        style = "flex:1 1 16rem;min-width:0;max-width:24rem;overflow:hidden"
        return f'<svg viewBox="{box}" role="img" aria-label="{self.says}" style="{style}">{"".join(self.parts)}</svg>'
