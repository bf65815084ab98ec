"""BLEU of captions: by hand, against all references, whatever the padding."""

import math

import pytest
import torch
from torch.nn import functional

from captioning.bleu import bleu_metrics, corpus_bleu, made_captions, references
from captioning.vocabulary import PADDING, Vocabulary

TEXTS = [["a red ring on the left", "there is a red ring"], ["a blue square", "nothing but a blue square"]]
LONGEST = 8


@pytest.fixture
def vocabulary():
    return Vocabulary(text for several in TEXTS for text in several)


def outputs_of(vocabulary, captions, references_each, longest=LONGEST):
    """What a network gives in evaluation: logits that are not looked at, then its words."""
    words = vocabulary.numbers([[caption] for caption in captions], longest - 1)[:, 0].clamp(min=0)
    made = functional.one_hot(words, len(vocabulary)).float()
    logits = torch.randn(len(captions), references_each * longest, len(vocabulary))
    return torch.cat([logits, made], dim=1)


def targets_of(vocabulary, texts, longest=LONGEST):
    return vocabulary.numbers(texts, longest - 1).flatten(1)


def test_bleu_by_hand():
    # "a red red ring": 3 of 4 words (red counts once), 2 of 3 pairs; as long as the nearer reference
    texts = [["a red ring there", "a blue ring"]]
    assert corpus_bleu(["a red red ring"], texts, 1) == pytest.approx(3 / 4)
    assert corpus_bleu(["a red red ring"], texts, 2) == pytest.approx(math.sqrt(3 / 4 * 2 / 3))
    # too short: exp(1 - 4 / 2) for two words beside four
    assert corpus_bleu(["a red"], [["a red ring there"]], 1) == pytest.approx(math.exp(-1))


def test_bleu_is_of_the_corpus_and_takes_the_best_of_all_references():
    texts = [["a red ring", "a blue ring"], ["a red square"]]
    assert corpus_bleu(["a blue ring", "a green square"], texts, 1) == pytest.approx(5 / 6)


def test_captions_and_references_come_back_from_tensors(vocabulary):
    targets, outputs = targets_of(vocabulary, TEXTS), outputs_of(vocabulary, ["a red ring", "a square"], 2)
    assert references(vocabulary, LONGEST, targets) == TEXTS
    assert made_captions(vocabulary, LONGEST, outputs) == ["a red ring", "a square"]


def test_metrics_read_what_the_network_gives(vocabulary):
    targets = targets_of(vocabulary, TEXTS)
    metrics = bleu_metrics(vocabulary, LONGEST, targets, targets)
    assert [metric.name for metric in metrics] == ["bleu-4", "bleu-1", "bleu-2", "bleu-3"]
    perfect = outputs_of(vocabulary, [several[0] for several in TEXTS], 2)
    others = outputs_of(vocabulary, ["a red ring on the right", "a square"], 2)
    for metric in metrics[1:]:
        order = int(metric.name[-1])
        assert metric.compute(perfect, targets) == pytest.approx(1.0)
        expected = corpus_bleu(["a red ring on the <unk>", "a square"], TEXTS, order)
        assert metric.compute(others, targets) == pytest.approx(expected)


def test_padding_and_missing_captions_change_nothing(vocabulary):
    for metric, padded in zip(
        bleu_metrics(vocabulary, LONGEST, targets_of(vocabulary, TEXTS), targets_of(vocabulary, TEXTS)),
        bleu_metrics(vocabulary, 12, targets_of(vocabulary, TEXTS, 12), targets_of(vocabulary, TEXTS, 12)),
        strict=True,
    ):
        said = ["a red ring on the left side", "a"]  # an empty reference would be the nearest in length
        value = metric.compute(outputs_of(vocabulary, said, 2), targets_of(vocabulary, TEXTS))
        assert metric.trivial == padded.trivial
        assert padded.compute(outputs_of(vocabulary, said, 2, 12), targets_of(vocabulary, TEXTS, 12)) == value
        lone = functional.pad(targets_of(vocabulary, TEXTS), (0, LONGEST), value=PADDING)  # a third that is not there
        assert metric.compute(outputs_of(vocabulary, said, 3), lone) == value


def test_an_unknown_word_is_never_right():
    vocabulary = Vocabulary(["a ring", "a ring"], least=2)
    targets = targets_of(vocabulary, [["a zebra"]])
    (bleu,) = (metric for metric in bleu_metrics(vocabulary, LONGEST, targets, targets) if metric.name == "bleu-1")
    assert bleu.compute(outputs_of(vocabulary, ["a zebra"], 1), targets) == pytest.approx(1 / 2)


def test_the_constant_is_the_most_frequent_training_caption(vocabulary):
    train = targets_of(vocabulary, [["a ring", "there is a ring"], ["there is a ring", "a blue square"]])
    validation = targets_of(vocabulary, TEXTS)
    for metric in bleu_metrics(vocabulary, LONGEST, train, validation):
        assert metric.trivial == pytest.approx(corpus_bleu(["there is a ring"] * 2, TEXTS, int(metric.name[-1])))
