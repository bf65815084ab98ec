"""Suggestions for targets that are classes or masks of pixels."""

import torch
from torch import Tensor, nn

from equipoise.losses.binary_regions import BinaryDiceLoss, BinaryFocalTverskyLoss
from equipoise.losses.mixed import Mixed
from equipoise.losses.regions import DiceLoss, FocalTverskyLoss
from equipoise.losses.suggest.kinds import Targets
from equipoise.losses.suggest.labels import (
    class_counts,
    class_weights,
    cross_entropy,
    facts_of_dtype,
    ignored,
    odds,
    pos_weight,
    pos_weight_words,
    present_only,
    weights_words,
)
from equipoise.losses.suggest.suggestion import Call, Found, Suggestion
from equipoise.losses.suggest.thresholds import SMALL_REGION
from equipoise.names import listed


def segmentation(seen: Targets) -> Found:
    """For a class at every pixel, or masks of labels."""
    return _masks(seen) if seen.floating or seen.values.dtype == torch.bool else _classes(seen)


def _classes(seen: Targets) -> Found:
    """Classes [N, H, W]."""
    counts = class_counts(seen)
    shares = counts / counts.sum()
    images = torch.stack([(seen.values == place).flatten(1).any(dim=1).sum() for place in range(len(counts))])
    output, facts = f"logits [N, {len(counts)}, {_space(seen)}]", _facts(shares, images, len(seen.values), "class")
    if seen.missing:
        facts.append(f"{seen.missing:.1%} of the pixels are {seen.ignore_index}: they do not count")
    plain, overlap = cross_entropy(seen), Call(DiceLoss, **ignored(seen))
    mixed = Call(Mixed, {"ce": (1.0, plain), "dice": (1.0, overlap)})
    if shares[counts > 0].min() >= SMALL_REGION:
        return facts, _where_none_is_small(plain, mixed, output, "class")
    weighted = Suggestion.of(cross_entropy(seen, weight=class_weights(counts)), output, weights_words(counts))
    return facts, _where_some_are_small(mixed, Call(FocalTverskyLoss, **ignored(seen)), weighted, plain, output)


def _masks(seen: Targets) -> Found:
    """Masks [N, L, H, W]."""
    values = seen.values.double().masked_fill(~seen.present, 0.0).transpose(0, 1).flatten(2)  # [L, N, pixels]
    positives, counts = values.sum(dim=(1, 2)), seen.present.transpose(0, 1).flatten(1).sum(dim=1)
    shares, images = positives / counts.clamp(min=1), (values > 0).any(dim=2).sum(dim=1)
    output = f"logits of the targets' shape, {seen.shape}"
    facts = [*_facts(shares, images, len(seen.values), "label"), *facts_of_dtype(seen)]
    plain, ratios = Call(nn.BCEWithLogitsLoss), odds(positives, counts)
    mixed = Call(Mixed, {"bce": (1.0, plain), "dice": (1.0, Call(BinaryDiceLoss))})
    per_label = ratios.reshape(-1, *[1] * (seen.values.dim() - 2))
    weighted = Call(nn.BCEWithLogitsLoss, pos_weight=pos_weight(per_label))
    there = shares[positives > 0]
    small = there.numel() > 0 and bool(there.min() < SMALL_REGION)
    if seen.missing:
        first, reason = (weighted, pos_weight_words(ratios)) if small else (plain, "no label is small")
        overlap = "Dice and Tversky losses take the gaps as mask=~targets.isnan()"
        return facts, [present_only(seen, first, output, reason, overlap)]
    if not small:
        return facts, _where_none_is_small(plain, mixed, output, "label")
    by_label = Suggestion.of(weighted, output, pos_weight_words(ratios))
    return facts, _where_some_are_small(mixed, Call(BinaryFocalTverskyLoss), by_label, plain, output)


def _where_none_is_small(plain: Call, mixed: Call, output: str, word: str) -> list[Suggestion]:
    return [
        Suggestion.of(plain, output, f"no {word} is small: the mean over pixels sees all of them"),
        Suggestion.of(mixed, output, "if the metric is Dice or IoU"),
    ]


def _where_some_are_small(mixed: Call, focal: Call, weighted: Suggestion, plain: Call, output: str) -> list[Suggestion]:
    small = "small regions hardly move a mean over pixels; Dice counts overlap by its own size, and the other part is "
    return [
        Suggestion.of(mixed, output, f"{small}smooth"),
        Suggestion.of(focal, output, "if what is missed is worse than false alarms"),
        weighted,
        Suggestion.of(plain, output, "the plain loss: if the metric is the accuracy of pixels"),
    ]


def _facts(shares: Tensor, images: Tensor, samples: int, word: str) -> list[str]:
    """Of each class: the share of pixels, and in how many images it is."""
    smallest = int(shares.where(shares > 0, 2.0).argmin())
    facts = [
        f"{word} {smallest}, the smallest, fills {shares[smallest]:.2%} of the pixels and is in {images[smallest]} of "
        f"{samples} images"
    ]
    absent = (shares == 0).nonzero().flatten().tolist()
    if absent:
        facts.append(f"no pixel of {word} {listed(absent, most=5)}")
    return facts


def _space(seen: Targets) -> str:
    return ", ".join(map(str, seen.values.shape[1:]))
