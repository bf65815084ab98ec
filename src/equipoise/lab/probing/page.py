"""Gradient diagnostics as one HTML file."""

from collections.abc import Iterable
from html import escape
from importlib import resources
from pathlib import Path

from equipoise.lab.files import replace_file
from equipoise.lab.probing.look import GradientSummary, Pair
from equipoise.lab.probing.probe import Probe
from equipoise.lab.probing.words import give_conflict, give_cost, give_headline, to_paste, when_of
from equipoise.lab.reports.cells import cell, row, table
from equipoise.lab.reports.policy import policy


def write_page(probe: Probe, path: Path) -> None:
    """Write the page, whole or not at all; its folder must be there."""
    style = (resources.files("equipoise.lab.reports") / "page.css").read_text(encoding="utf-8")
    page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy()}">
<title>Probe: {escape(probe.title)}</title><style>{style}</style></head>
<body><header><h1>{escape(probe.title)}</h1>
<p class="about">Gradients of the training split before training · {len(probe.tasks)} tasks · seed {probe.seed}</p>
</header><main>
{render_sections(probe)}
</main></body></html>
"""
    replace_file(path, lambda file: file.write(page.encode("utf-8")))


def render_sections(probe: Probe) -> str:
    """All that the page shows below its head, as HTML without a style of its own."""
    sentences = (give_headline(probe), give_conflict(probe), give_cost(probe), probe.suggestion.reason)
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in sentences)
    code = f"<pre><code>{escape(to_paste(probe))}</code></pre>" if to_paste(probe) else ""
    looks = "".join(_look(look, place) for place, look in enumerate(probe.looks))
    return f"""<section id="answer"><h2>Gradient diagnostics</h2>{paragraphs}{code}</section>
{looks}
<section id="costs"><h2>Cost per step</h2>{_kinds(probe)}</section>"""


def _look(look: GradientSummary, place: int) -> str:
    tasks = (
        row(_head(name), *(cell(of[name], ".4g") for of in (look.losses, look.norms, look.own_norms)))
        for name in look.losses
    )
    layers = (
        row(_head(layer.name), cell(layer.share, ".0%"), *_cosine(layer.lowest), cell(layer.negative, ".0%"))
        for layer in look.layers
    )
    pairs = (row(_head(" | ".join(pair.tasks)), *_cosine(pair)[1:], _verdict(pair)) for pair in look.pairs)
    return f"""<section id="look{place}"><h2>{when_of(look)}</h2>
<p class="note">{look.batches} batches. Norm: root mean square norm of a task's gradient by the shared parameters,
with the user's weight in it; own norm: by what it reaches alone. Cosines: mean and standard deviation between
batches.</p>
<h3>Losses and gradients</h3>{_table("Losses and gradients", ("task", "loss", "norm", "own norm"), tasks)}
<h3>Cosines</h3>{_table("Cosines", ("tasks", "cosine", "spread", "batches below 0", ""), pairs)}
<h3>Layer by layer</h3>
{_table("Layers", ("layer", "of gradients", "lowest", "cosine", "spread", "batches below 0", "below 0"), layers)}
</section>"""


def _kinds(probe: Probe) -> str:
    rows = (
        row(_head(kind.name), f"<td>{kind.method}</td>", cell(kind.milliseconds, ".3g"), cell(kind.ratio, ".2f"))
        for kind in probe.kinds
    )
    return _table("Costs", ("kind", "as", "ms", "to the plain sum"), rows)


def _table(name: str, heads: Iterable[str], rows: Iterable[str]) -> str:
    return table(name, [row(*(f'<th scope="col">{escape(head)}</th>' for head in heads))], rows)


def _head(text: str) -> str:
    return f'<th scope="row">{escape(text)}</th>'


def _cosine(pair: Pair | None) -> tuple[str, ...]:
    """Who, the mean cosine, its spread, and the batches below 0."""
    if pair is None:
        return ("<td></td>",) * 4
    below = f"<td>{pair.negative}/{pair.batches}</td>"
    return f"<td>{escape(' | '.join(pair.tasks))}</td>", cell(pair.mean, "+.2f"), cell(pair.spread, ".2f"), below


def _verdict(pair: Pair) -> str:
    return f"<td>{'conflict' if pair.opposed else ''}</td>"
