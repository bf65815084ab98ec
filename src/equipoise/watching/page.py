"""What was seen of a script, as text, 88 columns wide: the answer first."""

import math
import textwrap
from collections.abc import Sequence

from equipoise.names import listed
from equipoise.paragraphs import numbered, table
from equipoise.watching.findings import findings_of, suggested
from equipoise.watching.measures import cosine, norm_of, shares_of
from equipoise.watching.seen import PassSeen, ScriptSeen

_WIDTH = 88
_MANY = 8  # parts up to which a matrix of cosines is shown
_AGAINST = (
    "Share of step: how much of the sum of all gradients, by shared parameters, is along each; below 0 % the step goes "
    "against that loss."
)


def page_of(processes: Sequence[ScriptSeen]) -> str:
    """The page of all processes; of ranks that did the same, the first's."""
    first = processes[0] if processes else ScriptSeen()
    sites = looks_by_site(processes)
    found = {site: findings_of(looks) for site, looks in sites.items()}
    lines = textwrap.wrap(_answer(first, found), _WIDTH)
    for site, looks in sites.items():
        lines += ["", *_section(site, looks, found[site], first.calls.get(site, 0))]
    if idle := idle_of(first):
        lines += ["", *textwrap.wrap(f"In an optimiser, and reached by no loss that was seen: {listed(idle)}.", _WIDTH)]
    if len(processes) > 1:
        lines += ["", f"Seen on {len(processes)} processes; the numbers are of the one of rank {first.rank}."]
    for problem in dict.fromkeys(problem for one in processes for problem in one.problems):
        lines += ["", *textwrap.wrap(f"Not seen: {problem}", _WIDTH)]
    return "\n".join(lines)


def looks_by_site(processes: Sequence[ScriptSeen]) -> dict[str, list[PassSeen]]:
    """The looks at each line that calls backward, of the first process."""
    sites: dict[str, list[PassSeen]] = {}
    for look in processes[0].looks if processes else ():
        sites.setdefault(look.site, []).append(look)
    return sites


def idle_of(seen: ScriptSeen) -> list[str]:
    """Modules that an optimiser holds and no look reached."""
    return sorted(set[str].intersection(*(set(look.idle) for look in seen.looks))) if seen.looks else []


def _answer(seen: ScriptSeen, found: dict[str, list[str]]) -> str:
    if not seen.looks:
        return "No loss was seen: the script called no backward of PyTorch's, or ended before its first."
    every = [finding for findings in found.values() for finding in findings]
    if not every:
        parts = {part.name for look in seen.looks for part in look.parts}
        what = f"{len(parts)} losses" if len(parts) > 1 else "the loss"
        return f"Nothing wrong was found in {what} of this script."
    return f"{len(every)} finding{'s' * (len(every) > 1)}; the first: {every[0]}."


def _section(site: str, looks: Sequence[PassSeen], findings: Sequence[str], calls: int) -> list[str]:
    last = looks[-1]
    steps = ", ".join(str(look.step) for look in looks)
    title = f"{site}: step{'s' * (len(looks) > 1)} {steps} of {calls}; the numbers are of step {last.step}"
    lines = [*textwrap.wrap(title, _WIDTH), ""]
    shares = shares_of(last)
    rows = [
        [
            part.name if part.group == part.name else f"{part.group}: {part.name}",
            _number(part.value),
            _number(part.factor),
            _number(norm_of(last, k)),
            _number(part.own_norm),
            "-" if math.isnan(shares[k]) else f"{100 * shares[k]:.1f} %",
        ]
        for k, part in enumerate(last.parts)
    ]
    lines += table(["loss", "value", "factor", "gradient", "own part", "share of step"], rows)
    if any(share < 0 for share in shares):
        lines += ["", *textwrap.wrap(_AGAINST, _WIDTH)]
    if 1 < len(last.parts) <= _MANY:
        lines += ["", "cosines of the gradients by shared parameters", *_cosines(last)]
    if findings:
        lines += ["", *numbered(findings, _WIDTH)]
    if weights := suggested(last):
        factors = ", ".join(f"{name}: {value:.2g}" for name, value in weights.items())
        lines += [
            "",
            *textwrap.wrap(
                f"Factors with which each would move the shared parameters equally far at step {last.step}: {factors}. "
                "A start for tuning, no more: only a comparison on validation data tells (equipoise compare).",
                _WIDTH,
            ),
        ]
    slow = sum(look.seconds for look in looks)
    return [*lines, "", f"{len(looks)} look{'s' * (len(looks) > 1)} took {slow:.1f} s."]


def _cosines(look: PassSeen) -> list[str]:
    names = [part.name for part in look.parts]
    short = [name[:10] if sum(other[:10] == name[:10] for other in names) == 1 else name[-10:] for name in names]
    rows = [[name, *(_cosine(cosine(look, i, j)) for j in range(len(names)))] for i, name in enumerate(names)]
    return table(["", *short], rows)


def _cosine(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value + 0.0:.3g}"  # a factor of -0 is 0
