"""Cases of one's own network, each a file of at most 60 lines beside empty ones."""

from functools import cache
from pathlib import Path

import pytest
import torch
from real_data import trained
from torch.nn.functional import one_hot, pad

import slots
from equipoise.lab.cases import check_case

CASES = Path(slots.__file__).parent


def whole(case, split):
    """All of a split as one batch."""
    data = case.data[split]
    return case.collate([data[place] for place in range(len(data))])


@cache
def made(name):
    if name == "two_digits":
        pytest.importorskip("sklearn", reason="scikit-learn has the digits")
    return pytest.importorskip(name).make_case()


@pytest.mark.parametrize("name", ["slots", "two_digits"])
def test_a_case_is_whole_and_short(name):
    assert len([line for line in (CASES / f"{name}.py").read_text("utf-8").splitlines() if line]) <= 60
    check_case(made(name))


def test_padding_changes_no_output_of_the_reader():
    words, _ = whole(made("slots"), "test")
    network = slots.Reader(["intent", "slots"])
    short, long = network(words), network(pad(words, (0, 3)))
    assert torch.allclose(short["intent"], long["intent"])
    assert torch.allclose(short["slots"], long["slots"][:, :-3], atol=1e-6)


def test_tags_name_the_words_of_a_slot():
    words, targets = whole(made("slots"), "train")
    (f1, accuracy) = made("slots").made_metrics["slots"]
    perfect = one_hot(targets["slots"].clamp(min=0), len(slots.TAGS)).float()
    assert f1.compute(perfect, targets["slots"]) == accuracy.compute(perfect, targets["slots"]) == 1.0
    assert f1.compute(torch.zeros_like(perfect), targets["slots"]) == f1.trivial == 0.0
    assert torch.equal(words == 0, targets["slots"] == -100)
    assert 0.15 < targets["intent"].eq(-100).float().mean() < 0.25


def test_a_digit_is_in_one_split_alone():
    case = made("two_digits")
    halves = {}
    for split in ("train", "validation", "test"):
        pictures, targets = whole(case, split)
        halves[split] = {tuple(half.flatten().tolist()) for half in pictures.unflatten(3, (2, 8)).unbind(3)[0]}
        known = targets["left"] != -100
        assert torch.equal((targets["left"] + targets["right"])[known].float(), targets["sum"][known])
    assert not halves["train"] & halves["test"]
    assert not halves["train"] & halves["validation"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "task", "metric", "least"),
    [
        ("slots", "slots", "span-f1", 0.8),
        ("slots", "intent", "accuracy", 0.85),
        ("two_digits", "left", "accuracy", 0.8),
    ],
)
def test_a_few_epochs_learn_the_case(name, task, metric, least, tmp_path):
    assert trained(made(name), 0, tmp_path, epochs=8)[task, metric] > least
