"""Suggestions for targets that are labels, classes or levels."""

from torch import Tensor, nn

from equipoise.losses.focal import BinaryFocalLoss, FocalLoss
from equipoise.losses.imbalance import LogitAdjustedLoss
from equipoise.losses.multilabel import AsymmetricLoss, SoftF1Loss
from equipoise.losses.noise import GeneralisedCrossEntropyLoss
from equipoise.losses.ordinal import CoralLoss, CornLoss
from equipoise.losses.sequences import SequenceCrossEntropyLoss
from equipoise.losses.suggest.kinds import Targets
from equipoise.losses.suggest.labels import (
    SHIFTED,
    class_counts,
    class_weights,
    cross_entropy,
    facts_of_classes,
    facts_of_dtype,
    facts_of_few,
    ignored,
    imbalance,
    odds,
    pos_weight,
    pos_weight_words,
    present_only,
    weights_words,
)
from equipoise.losses.suggest.suggestion import Call, Found, Suggestion, digits
from equipoise.losses.suggest.thresholds import IMBALANCED, LEVELS, MANY_NEGATIVES


def binary(seen: Targets) -> Found:
    """For one 0 or 1 per sample."""
    labels = seen.known.double()
    share = labels.mean().item()
    ratio = odds(labels.sum(), labels.new_tensor(labels.numel()))
    output = f"logits of the targets' shape, {seen.shape}"
    facts = [f"{share:.1%} of {labels.numel()} labels are positive", *facts_of_dtype(seen)]
    if share in (0.0, 1.0):
        facts.append("one of the two never occurs: there is nothing to learn")
    plain = nn.BCEWithLogitsLoss
    if share in (0.0, 1.0) or 1 / IMBALANCED < ratio < IMBALANCED:
        return facts, [present_only(seen, Call(plain), output, "not imbalanced: no weights needed")]
    return facts, [
        present_only(seen, Call(plain, pos_weight=pos_weight(ratio)), output, pos_weight_words(ratio), SHIFTED),
        present_only(seen, Call(BinaryFocalLoss, gamma=2.0), output, "makes easy ones count less, of either kind"),
        present_only(seen, Call(plain), output, "the plain loss: good probabilities; move the threshold instead"),
    ]


def multiclass(seen: Targets) -> Found:
    """For one class of C per sample."""
    if seen.distributions:
        return _shares_of_classes(seen)
    counts = class_counts(seen)
    output, facts = f"logits [N, {len(counts)}]", facts_of_classes(counts)
    if seen.missing:
        facts.append(f"{seen.missing:.1%} are {seen.ignore_index}, missing: ignore_index leaves them out")
    if 2 < len(counts) <= LEVELS:
        facts.append("if the classes have an order, task='ordinal' fits")
    if imbalance(counts) < IMBALANCED:
        return facts, [
            Suggestion.of(cross_entropy(seen), output, "not imbalanced: no weights needed"),
            Suggestion.of(
                cross_entropy(seen, label_smoothing=0.1), output, "if it becomes too sure of itself in training"
            ),
            Suggestion.of(
                Call(GeneralisedCrossEntropyLoss, **ignored(seen)),
                output,
                "if some labels are wrong, which targets alone do not show",
            ),
        ]
    weighted, plain = _weighted_and_plain(seen, counts, output)
    return facts, [
        Suggestion.of(
            Call(LogitAdjustedLoss, class_counts=counts.clamp(min=1), **ignored(seen)),
            output,
            f"imbalanced {digits(imbalance(counts))} to 1: aims at the mean over classes (balanced accuracy), also "
            "where weights fade out: in a network that fits its training set",
            SHIFTED,
        ),
        weighted,
        Suggestion.of(
            Call(FocalLoss, gamma=2.0, **ignored(seen)),
            output,
            "if easy samples drown the rest, more than large classes",
        ),
        plain,
    ]


def multilabel(seen: Targets) -> Found:
    """For several labels per sample."""
    values = seen.values.double().masked_fill(~seen.present, 0.0)
    positives, counts = values.sum(dim=0), seen.present.sum(dim=0)
    share, ratios = (positives.sum() / counts.sum()).item(), odds(positives, counts)
    output, rarest = f"logits [N, {seen.columns}]", int((positives / counts.clamp(min=1)).argmin())
    facts = [
        f"{share * seen.columns:.2g} of {seen.columns} labels are positive in a sample; "
        f"label {rarest} in {positives[rarest]:g} of {counts[rarest]}",
        *facts_of_few(positives, "label"),
        *facts_of_dtype(seen),
    ]
    if seen.whole and bool((values.sum(dim=1) == 1).all()):
        facts.append("every row has one label: if it always has, take task='multiclass' and targets.argmax(dim=1)")
    found = []
    if share < MANY_NEGATIVES:
        reason = f"{1 - share:.1%} of all labels are negative: lets go of the easy ones among them"
        found.append(present_only(seen, Call(AsymmetricLoss), output, reason))
    if bool((ratios >= IMBALANCED).any()):
        weighted = Call(nn.BCEWithLogitsLoss, pos_weight=pos_weight(ratios))
        words = f"{pos_weight_words(ratios)}. {SHIFTED[0].upper()}{SHIFTED[1:]}"
        found.append(present_only(seen, weighted, output, words))
    reason = "the plain loss: good probabilities; choose a threshold per label" if found else "no label is rare"
    found.append(present_only(seen, Call(nn.BCEWithLogitsLoss), output, reason))
    if not seen.missing:
        reason = "if the metric is macro F1, in large batches; goes well into a Mixed with the plain loss"
        found.append(Suggestion.of(Call(SoftF1Loss, average="macro"), output, reason))
    return facts, found


def ordinal(seen: Targets) -> Found:
    """For levels 0 to K - 1."""
    counts = class_counts(seen)
    apart, between = f"logits [N, {len(counts)}]", f"logits [N, {len(counts) - 1}]"
    facts = facts_of_classes(counts, "level")
    if seen.missing:
        reason = "the losses of levels take no missing ones: leave those samples out, and ask again"
        return facts, [Suggestion.of(cross_entropy(seen), apart, reason)]
    return facts, [
        Suggestion.of(
            Call(CoralLoss),
            f"{between}: one score, shared, plus K − 1 biases",
            f"{len(counts)} levels in order: a miss by two costs more than a miss by one, and P(above k) falls with k",
        ),
        Suggestion.of(Call(CornLoss), between, "the same with free logits: more to learn, so with more data"),
        Suggestion.of(cross_entropy(seen), apart, "the plain loss, to which the order means nothing"),
    ]


def sequence(seen: Targets) -> Found:
    """For a class at every position."""
    classes = len(class_counts(seen))
    facts = [f"{seen.known.numel()} positions, {classes} classes"]
    if seen.num_classes is None:
        facts.append("the largest class here sets C: pass num_classes for the whole vocabulary")
    if seen.missing:
        facts.append(
            f"{seen.missing:.1%} are {seen.ignore_index}, missing: they count neither in the sum nor in the mean"
        )
    return facts, [Suggestion.of(Call(SequenceCrossEntropyLoss, **ignored(seen)), f"logits [B, T, {classes}]")]


def _shares_of_classes(seen: Targets) -> Found:
    """For rows that sum to 1, which cross-entropy alone takes."""
    counts = seen.values.sum(dim=0)
    output, facts = f"logits [N, {len(counts)}]", facts_of_classes(counts)
    if seen.whole:
        facts.append("rows are one-hot: targets.argmax(dim=1) is what other losses of classes take")
    else:
        facts.append("rows are shares of the classes, which cross-entropy takes as they are")
    facts += facts_of_dtype(seen)
    if imbalance(counts) < IMBALANCED:
        return facts, [Suggestion.of(cross_entropy(seen), output, "not imbalanced: no weights needed")]
    return facts, _weighted_and_plain(seen, counts, output)


def _weighted_and_plain(seen: Targets, counts: Tensor, output: str) -> list[Suggestion]:
    plain = "the plain loss: the one to take where the metric is plain accuracy"
    return [
        Suggestion.of(cross_entropy(seen, weight=class_weights(counts)), output, weights_words(counts), SHIFTED),
        Suggestion.of(cross_entropy(seen), output, plain),
    ]
