import torch
from torch.testing import assert_close

from equipoise.lab.data.text import encode, join_bags, vocabulary
from equipoise.lab.data.words import ngrams, words


def test_pairs_do_not_cross_the_end_of_a_text():
    assert ngrams("Too small!") + ngrams("But nice.") == [
        "too",
        "small",
        "too small",
        "but",
        "nice",
        "but nice",
    ]
    assert ngrams("") == []


def test_words_are_of_any_alphabet():
    assert ngrams("Größe L'été, ça va") == [
        *("größe", "l'été", "ça", "va"),
        *("größe l'été", "l'été ça", "ça va"),
    ]
    assert ngrams("Хорошее платье_2") == ["хорошее", "платье", "2", "хорошее платье", "платье 2"]
    assert words("हिन्दी में") == ["हिन्दी", "में"]
    assert words("cafe\u0301") == words("CAFÉ") == ["café"]


def test_where_words_have_no_blanks_between_them_each_character_is_one():
    assert ngrams("太小了。") == ["太", "小", "了", "太 小", "小 了"]
    assert words("サイズM ดี 👎🏽x") == ["サ", "イ", "ズ", "m", "ด", "ี", "👎", "🏽", "x"]
    assert words("cute❤️dress") == ["cute", "❤", "dress"]


def test_vocabulary_takes_the_most_frequent_and_breaks_ties_by_alphabet():
    documents = [["fit", "soft"], ["fit", "warm"], ["blue"]]
    assert vocabulary(documents, 3) == {"fit": 0, "blue": 1, "soft": 2}
    assert vocabulary(reversed(documents), 3) == {"fit": 0, "blue": 1, "soft": 2}


def test_encode_leaves_out_what_is_unknown():
    assert encode(["soft", "green", "fit", "soft"], {"fit": 0, "soft": 2}).tolist() == [2, 0, 2]
    assert encode(["green"], {"fit": 0}).dtype == torch.int64


def test_joined_bags_can_be_taken_apart_again():
    bags = [torch.tensor([3, 1]), torch.tensor([], dtype=torch.int64), torch.tensor([2])]
    flat, begins = join_bags(bags)
    assert begins.dtype == torch.int64
    assert begins.tolist() == [0, 2, 2]
    ends = [*begins[1:], len(flat)]
    for bag, begin, end in zip(bags, begins, ends, strict=True):
        assert_close(flat[begin:end], bag)
