import math

import pytest
import torch
from torch.nn.functional import one_hot

from equipoise.lab.metrics.spans import span_f1, spans

TAGS = ["O", "B-city", "I-city", "B-day", "I-day"]
NONE, CITY, IN_CITY, DAY, IN_DAY = range(5)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", set()),
        ("O O", set()),
        ("B-a I-a", {(0, 2, "a")}),
        ("B-a B-a I-a O", {(0, 1, "a"), (1, 3, "a")}),
        ("B-a I-b I-b", {(0, 1, "a"), (1, 3, "b")}),
        ("I-a O I-a", {(0, 1, "a"), (2, 3, "a")}),
        ("O B-from-city I-from-city", {(1, 3, "from-city")}),  # a kind may have a dash in it
    ],
)
def test_spans_as_conlleval_finds_them(tags, expected):
    assert spans(tags.split()) == expected


def test_a_span_is_right_if_tokens_and_kind_are():
    true = torch.tensor([[CITY, IN_CITY, NONE, DAY], [NONE, CITY, -100, -100]])
    said = torch.tensor([[CITY, NONE, NONE, DAY], [NONE, DAY, CITY, CITY]])
    # one too short, one right; one of another kind, and what is behind the end does not count
    assert span_f1(one_hot(said, 5), true, TAGS) == pytest.approx(2 * 1 / (3 + 3))
    assert span_f1(one_hot(true.clamp(min=0), 5), true, TAGS) == 1.0
    assert span_f1(torch.zeros(2, 4, 5), true, TAGS) == 0.0
    assert math.isnan(span_f1(torch.zeros(1, 2, 5), torch.zeros(1, 2).long(), TAGS))


def test_tokens_without_a_tag_inside_a_sequence_do_not_break_a_span():
    """As the later pieces of a word do not."""
    true = torch.tensor([[CITY, -7, IN_CITY, DAY]])
    said = torch.tensor([[CITY, DAY, IN_CITY, DAY]])
    assert span_f1(one_hot(said, 5), true, TAGS, missing=-7) == 1.0


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"logits \[B, T, V\] of 5 tags beside targets \[B, T\], got \(2, 5, 4\) and"):
        span_f1(torch.zeros(2, 5, 4), torch.zeros(2, 4).long(), TAGS)
