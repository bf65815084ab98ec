"""Captions as numbers of words, and back."""

from captioning.vocabulary import END, PADDING, UNKNOWN, Vocabulary

TEXTS = ["a red ring", "a red square", "a ring above a square"]


def test_words_below_the_count_are_unknown():
    counted = {"a": 4, "red": 2, "ring": 2, "square": 2, "above": 1}
    for least in range(1, 6):
        kept = {word for word, count in counted.items() if count >= least}
        assert set(Vocabulary(TEXTS, least).words[2:]) == kept
    vocabulary = Vocabulary(TEXTS, least=2)
    assert vocabulary.numbers([["a blue ring"]], 3)[0, 0].tolist() == [
        vocabulary.words.index("a"),
        UNKNOWN,
        vocabulary.words.index("ring"),
        END,
    ]


def test_the_most_frequent_words_stay_where_the_size_is_bounded():
    assert Vocabulary(TEXTS, size=1).words[2:] == ("a",)
    assert len(Vocabulary(TEXTS, size=3)) == 5


def test_numbers_give_back_the_words():
    vocabulary = Vocabulary(TEXTS)
    numbers = vocabulary.numbers([TEXTS[:2], TEXTS[2:]], longest=5)
    assert numbers.shape == (2, 2, 6)
    assert [vocabulary.text(row) for row in numbers[0].tolist()] == TEXTS[:2]
    assert vocabulary.text(numbers[1, 0].tolist()) == TEXTS[2]
    assert (numbers[1, 1] == PADDING).all()


def test_a_caption_is_cut_and_still_ends():
    vocabulary = Vocabulary(TEXTS)
    numbers = vocabulary.numbers([TEXTS[2:]], longest=2)[0, 0].tolist()
    assert vocabulary.text(numbers) == "a ring"
    assert numbers[2] == END


def test_nothing_after_the_end_is_said():
    vocabulary = Vocabulary(TEXTS)
    a, ring = vocabulary.words.index("a"), vocabulary.words.index("ring")
    assert vocabulary.text([a, ring, END, a, a]) == "a ring"
    assert vocabulary.text([a, UNKNOWN]) == "a <unk>"
    assert vocabulary.text([a, UNKNOWN], unknown="<rare>") == "a <rare>"
