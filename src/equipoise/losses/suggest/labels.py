"""What counts of labels tell, and the weights that follow from them."""

import inspect

import torch
from torch import Tensor, nn

from equipoise.losses.imbalance import effective_number_weights
from equipoise.losses.masked import Masked
from equipoise.losses.suggest.kinds import Targets
from equipoise.losses.suggest.suggestion import Call, Suggestion, digits
from equipoise.losses.suggest.thresholds import FEW, LONG_TAIL, MOST_POS_WEIGHT
from equipoise.names import listed

SHIFTED = "probabilities lean towards what is rare: where they matter, take the plain loss"


def class_counts(seen: Targets) -> Tensor:
    """How often every class occurs [C]."""
    return torch.bincount(seen.known.long(), minlength=seen.num_classes or 0)


def imbalance(counts: Tensor) -> float:
    """The largest over the smallest class that occurs."""
    there = counts[counts > 0]
    return (there.max() / there.min()).item()


def class_weights(counts: Tensor) -> Tensor:
    """By inverse frequency, or by effective numbers for a long tail; 1 on average over the samples, 1 for no sample."""
    raw = 1 / counts.double().clamp(min=1)
    if imbalance(counts) >= LONG_TAIL:
        raw = effective_number_weights(counts.long().clamp(min=1)).double()
    return rounded((raw * counts.sum() / (raw * counts).sum()).where(counts > 0, 1.0))


def weights_words(counts: Tensor) -> str:
    """Which weights those are."""
    if imbalance(counts) < LONG_TAIL:
        return "weight = samples / (classes · count): every class has the same share of the loss"
    return "weight by the effective number of samples, which a class of few does not drive up for ever"


def odds(positives: Tensor, counts: Tensor) -> Tensor:
    """Negatives over positives; 1 where there is no positive."""
    return ((counts - positives) / positives.clamp(min=1e-12)).where(positives > 0, 1.0)


def pos_weight(ratios: Tensor) -> Tensor:
    """The weights of positives for these odds."""
    return rounded(ratios.clamp(max=MOST_POS_WEIGHT))


def pos_weight_words(ratios: Tensor) -> str:
    """Which weights those are."""
    least, most = ratios.min().item(), ratios.max().item()
    several = f", {digits(least)} to {digits(most)}" if ratios.numel() > 1 else f" = {digits(most)}"
    cut = f", cut at {MOST_POS_WEIGHT:g}: beyond, single positives decide a step" if most > MOST_POS_WEIGHT else ""
    return f"imbalanced: pos_weight = negatives / positives{several}{cut}"


def facts_of_classes(counts: Tensor, word: str = "class") -> list[str]:
    """How many there are, how unequal, and which are too few."""
    largest, smallest = int(counts.argmax()), int(counts.where(counts > 0, counts.max() + 1).argmin())
    unequal = f"; {word} {largest} has {digits(counts[largest])}, {word} {smallest} {digits(counts[smallest])}"
    plural = "classes" if word == "class" else f"{word}s"
    facts = [
        f"{len(counts)} {plural}, {digits(counts.sum())} labels"
        f"{unequal if counts[largest] > counts[smallest] else ', of each as many'}"
    ]
    if (counts > 0).sum() == 1:
        facts.append(f"{word} {largest} is the only one: there is nothing to learn")
    return facts + facts_of_few(counts, word)


def facts_of_few(counts: Tensor, word: str) -> list[str]:
    """Those that have no sample, or too few."""
    absent = (counts == 0).nonzero().flatten().tolist()
    few = ((counts > 0) & (counts < FEW)).nonzero().flatten().tolist()
    facts = (
        [f"no sample of {word} {listed(absent, most=5)}: nothing is learned of it; its weight is 1"] if absent else []
    )
    if few:
        facts.append(f"fewer than {FEW} samples of {word} {listed(few, most=5)}: no loss makes up for more labels")
    return facts


def facts_of_dtype(seen: Targets) -> list[str]:
    """What torch's binary losses want changed."""
    if seen.floating:
        return []
    missing = f".masked_fill(targets == {seen.ignore_index}, torch.nan)" if seen.missing else ""
    return [f"the loss takes floats: give targets.float(){missing}"]


def present_only(seen: Targets, call: Call, output: str, *reasons: str) -> Suggestion:
    """The loss, over the labels that are there."""
    if not seen.missing:
        return Suggestion.of(call, output, *reasons)
    takes_mask = "mask" in inspect.signature(call.make().forward).parameters  # and then sees to the rest itself
    named = call.named if takes_mask else {**call.named, "reduction": "none"}
    elementwise = Call(call.constructor, *call.positional, **named)
    missing = f"{seen.missing:.1%} of the labels are missing: Masked leaves them out; in a Task, with missing='loss'"
    return Suggestion.of(Call(Masked, elementwise), output, *reasons, missing)


def cross_entropy(seen: Targets, **named: object) -> Call:
    """The plain loss of classes."""
    return Call(nn.CrossEntropyLoss, **named, **ignored(seen))


def ignored(seen: Targets) -> dict[str, int]:
    """What a loss must be told of missing labels: nothing where it is torch's default."""
    return {} if seen.ignore_index == -100 else {"ignore_index": seen.ignore_index}


def rounded(values: Tensor) -> Tensor:
    """To three digits, as they are pasted."""
    return torch.tensor([float(f"{value:.3g}") for value in values.flatten().tolist()]).reshape(values.shape)
