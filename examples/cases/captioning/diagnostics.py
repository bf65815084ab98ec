"""What a run on captions shows: confusions, captions with their attention, and whether it lands on what is named."""

import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from captioning.bleu import corpus_bleu, references
from captioning.decoding import Decoded, beam_search, greedy
from captioning.landing import Landing, landings
from captioning.network import CaptionNetwork, Decode
from captioning.vocabulary import Vocabulary
from equipoise.lab.diagnostics import (
    Card,
    Diagnostic,
    Picture,
    Predictions,
    ScoreTable,
    cards,
    class_table,
    class_words,
    confusion,
    first_samples,
    largest,
    worst_samples,
)
from rendered import SHAPES, Scene

_ORDERS = (1, 2, 3, 4)
_DECODINGS: Mapping[str, Decode] = {
    "the likeliest at each": greedy,
    **{f"a beam of {width}": partial(beam_search, width=width) for width in (3, 10)},
}
_SAMPLES = 5  # each has a picture for every word
_SHADE = 0.2  # of a picture where nothing is attended to


def captions_diagnostics(
    classes: Sequence[str], vocabulary: Vocabulary, longest: int, scenes: Sequence[Scene] = ()
) -> tuple[Diagnostic, ...]:
    """Of class and caption.

    Args:
        classes: Their names; none where there are none.
        vocabulary: Of the captions.
        longest: T.
        scenes: Those of the validation split, where the pictures are scenes.
    """
    of_class = cards(
        {"class": class_words("class", classes, largest)},
        title=lambda seen, place: f"picture {place + 1} of the split",
        pictures=lambda seen, place: (Picture.of(_pixels(seen, place).movedim(0, 2), "the picture"),),
    )

    def of_caption(seen: Predictions, place: int) -> Card:
        card, decoded = of_class(seen, place), _decoded(seen, [place], longest)
        predicted = vocabulary.text(decoded.words[0].tolist())
        known = references(vocabulary, longest, seen.targets["caption"][[place]])[0]
        looked = [
            Picture.of(lit(_pixels(seen, place), weights), f"looked at for “{word}”")
            for word, weights in zip(predicted.split(), decoded.attention[0].cpu(), strict=False)
        ]
        lines = (*card.lines, f"predicted: {predicted}", *(f"true: {text}" for text in known))
        return Card(lines, (*card.pictures, *looked))

    diagnostics = [first_samples(("caption",), of_caption, _SAMPLES), worst_samples("caption", of_caption, _SAMPLES)]
    diagnostics.append(decodings(vocabulary, longest))
    if scenes:
        diagnostics.append(attention_lands(vocabulary, longest, scenes))
    if classes:
        diagnostics += [confusion("class", classes, largest, "pictures"), class_table("class", classes, largest)]
        diagnostics.append(worst_samples("class", of_class))
    return tuple(diagnostics)


def decodings(vocabulary: Vocabulary, longest: int) -> Diagnostic:
    """BLEU by greedy decoding, by which epochs and methods are judged, and by beam search, which costs more."""

    def show(seen: Predictions) -> ScoreTable:
        places, _, targets = seen.labelled("caption")
        known = references(vocabulary, longest, targets)
        rows = []
        for name, decode in _DECODINGS.items():
            decoded = _decoded(seen, places.tolist(), longest, decode)
            predicted = [vocabulary.text(words) for words in decoded.words.tolist()]
            scores = (corpus_bleu(predicted, known, order) for order in _ORDERS)
            rows.append((name, *scores, decoded.log_probability.mean().item(), len(predicted)))
        columns = ("words chosen by", *(f"BLEU-{order}" for order in _ORDERS), "log-probability", "captions")
        return ScoreTable(columns, tuple(rows), "The log-probability is the captions' mean.")

    return Diagnostic("caption-decoding", "caption: greedy decoding and beam search", ("caption",), show)


def attention_lands(vocabulary: Vocabulary, longest: int, scenes: Sequence[Scene]) -> Diagnostic:
    """The mean share of attention inside a thing's box while it is named, beside the box's share of the picture."""

    def show(seen: Predictions) -> ScoreTable:
        found = landings(_decoded(seen, range(len(scenes)), longest), vocabulary, scenes)
        rows = [_row(name, [one for one in found if one.shape == shape]) for shape, name in enumerate(SHAPES)]
        note = (
            "For each word that names the shape of a thing in the picture: how much of the attention lies inside the "
            "thing's box while the word is chosen, and what even attention would have there."
        )
        return ScoreTable(
            ("shape named", "attention inside", "box's share", "words"), (*rows, _row("all", found)), note
        )

    return Diagnostic("caption-attention", "caption: does attention land on what is named?", ("caption",), show)


def lit(picture: Tensor, weights: Tensor) -> Tensor:
    """A picture [3, H, W], uint8, in the light of attention [h, w]: [H, W, 3], dark where there is little."""
    light = functional.interpolate(weights[None, None].float(), size=picture.shape[1:], mode="bilinear")[0, 0]
    shade = _SHADE + (1 - _SHADE) * light / light.max()
    return (picture * shade).round().to(torch.uint8).movedim(0, 2)


def _row(name: str, found: Sequence[Landing]) -> tuple[str | int | float | None, ...]:
    if not found:
        return name, None, None, 0
    return name, *(statistics.fmean(getattr(one, share) for one in found) for share in ("inside", "area")), len(found)


def _pixels(seen: Predictions, place: int) -> Tensor:
    """A picture [3, H, W], uint8."""
    pictures: Tensor = seen.inputs([place])[0]
    return pictures[0]


def _decoded(seen: Predictions, places: Sequence[int], longest: int, decode: Decode = greedy) -> Decoded:
    model = cast(CaptionNetwork, seen.model)
    return model.caption(seen.inputs(places)[0].to(next(model.parameters()).device), longest, decode)
