"""What a reader has to know before any comparison, each in a sentence of at most 25 words."""

from collections.abc import Mapping

from equipoise.lab.evaluation.fit import Fit, RunFits
from equipoise.lab.evaluation.numbers import counted, fitting, listing

_WORDS: Mapping[Fit, tuple[str, str]] = {
    "under-fitting": ("still improving at the last epoch", "a comparison then measures speed of training."),
    "over-fitting": (
        "best after the first epoch and over-fitted from there",
        "lower the learning rate or regularise more.",
    ),
}


def fit_cautions(fits: RunFits) -> tuple[str, ...]:
    """That most runs of some methods were trained too short or too long, if so; nothing on healthy runs."""
    return tuple(_of(fits, fit, *words) for fit, words in _WORDS.items() if fits.mostly(fit))


def _of(fits: RunFits, fit: Fit, what: str, then: str) -> str:
    found = fits.mostly(fit)
    head = f"{sum(found.values())} of {counted(fits.judged, 'run')} were {what}"
    return fitting(f"{head} ({listing(list(found))}): {then}", f"{head} ({counted(len(found), 'method')}): {then}")
