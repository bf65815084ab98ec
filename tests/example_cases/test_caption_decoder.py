"""The decoder by its definition; greedy and beam search against counting out all captions."""

import itertools

import pytest
import torch
from torch.testing import assert_close

from captioning.decoder import CaptionDecoder, SoftAttention
from captioning.decoding import beam_search, greedy

END, WORDS, CHANNELS, STEPS = 0, 5, 4, 4


@pytest.fixture
def decoder():
    torch.manual_seed(5)  # greedy misses the likeliest caption for some pictures
    made = CaptionDecoder(CHANNELS, WORDS, END, width=6).double().eval()
    for parameter in made.parameters():  # first weights are small: every caption would be as likely
        torch.nn.init.normal_(parameter)
    return made


@pytest.fixture
def feature_map():
    return torch.randn(7, CHANNELS, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def log_probability(decoder, feature_map, words):
    """Of one caption [T] of one feature map, up to its end, by the teacher-forced logits."""
    chances = decoder(feature_map[None], torch.tensor(words)[None, None])[0, 0].log_softmax(dim=-1)
    length = words.index(END) + 1 if END in words else len(words)
    return sum(chances[place, words[place]] for place in range(length)).item()


def test_attention_is_its_formula():
    torch.manual_seed(2)
    attention = SoftAttention(3, 5, 6)
    places, state = torch.randn(2, 4, 3), torch.randn(2, 1, 5)
    context, weights = attention(state, attention.remember(places))
    for picture in range(2):
        scores = [
            attention.score(torch.tanh(attention.key(place) + attention.query(state[picture, 0])))
            for place in places[picture]
        ]
        expected = torch.cat(scores).softmax(dim=0)
        assert_close(weights[picture, 0], expected)
        assert_close(context[picture, 0], expected @ places[picture])


def test_logits_see_the_words_before_and_none_after(decoder, feature_map):
    captions = torch.randint(1, WORDS, (7, 2, STEPS), generator=torch.Generator().manual_seed(3))
    logits = decoder(feature_map, captions)
    assert logits.shape == (7, 2, STEPS, WORDS)
    for changed in range(STEPS):
        others = captions.clone()
        others[:, :, changed] = others[:, :, changed] % (WORDS - 1) + 1
        moved = (decoder(feature_map, others) - logits).abs().amax(dim=(0, 1, 3))
        assert (moved[: changed + 1] == 0).all()
        assert (moved[changed + 1 :] > 1e-9).all()


def test_captions_of_a_picture_do_not_see_each_other(decoder, feature_map):
    captions = torch.randint(1, WORDS, (7, 3, STEPS), generator=torch.Generator().manual_seed(3))
    together = decoder(feature_map, captions)
    for number in range(3):
        assert_close(decoder(feature_map, captions[:, [number]]), together[:, [number]])


def test_padding_changes_no_logit_before_it(decoder, feature_map):
    short = torch.tensor([2, 3, END]).expand(7, 1, 3)
    padded = torch.cat([short, torch.full((7, 1, 4), -100)], dim=2)
    assert_close(decoder(feature_map, padded)[:, :, :3], decoder(feature_map, short))


def test_the_first_word_is_told_by_the_picture_alone(decoder, feature_map):
    captions = torch.tensor([[1, 2, END], [4, END, -100]]).expand(7, 2, 3)
    logits = decoder(feature_map, captions)
    assert_close(logits[:, 0, 0], logits[:, 1, 0])
    assert (logits[0, 0, 0] - logits[1, 0, 0]).abs().max() > 1e-3


def test_the_same_thing_elsewhere_is_told_apart(decoder):
    left = torch.zeros(1, CHANNELS, 1, 4, dtype=torch.float64)
    left[..., 0] = 1.0
    captions = torch.tensor([[[1, 2]]])
    assert (decoder(left, captions) - decoder(left.flip(3), captions)).abs().max() > 1e-3


def test_greedy_takes_the_likeliest_word_and_says_how_likely(decoder, feature_map):
    decoded = greedy(decoder, feature_map, STEPS)
    for number, words in enumerate(decoded.words.tolist()):
        chances = decoder(feature_map[[number]], torch.tensor(words)[None, None])[0, 0]
        length = words.index(END) + 1 if END in words else STEPS
        assert chances.argmax(dim=-1)[:length].tolist() == words[:length]
        assert set(words[length:]) <= {END}
        assert decoded.log_probability[number].item() == pytest.approx(
            log_probability(decoder, feature_map[number], words)
        )


@pytest.mark.parametrize("decode", [greedy, lambda *given: beam_search(*given, width=3)])
def test_every_map_of_attention_sums_to_one(decoder, feature_map, decode):
    maps = decode(decoder, feature_map, STEPS).attention
    assert maps.shape == (7, STEPS, 2, 3)
    assert_close(maps.sum(dim=(2, 3)), torch.ones(7, STEPS, dtype=torch.float64))


def test_a_beam_of_one_is_greedy(decoder, feature_map):
    one, other = beam_search(decoder, feature_map, STEPS, 1), greedy(decoder, feature_map, STEPS)
    assert torch.equal(one.words, other.words)
    assert_close(one.log_probability, other.log_probability)
    assert_close(one.attention, other.attention)


def test_the_widest_beam_finds_the_likeliest_caption_of_all(decoder, feature_map):
    decoded = beam_search(decoder, feature_map, STEPS, WORDS**STEPS)
    for number in range(2):
        captions = [
            words
            for words in map(list, itertools.product(range(WORDS), repeat=STEPS))
            if END not in words or set(words[words.index(END) :]) == {END}
        ]
        chances = [log_probability(decoder, feature_map[number], words) for words in captions]
        best = max(range(len(captions)), key=chances.__getitem__)
        assert decoded.words[number].tolist() == captions[best]
        assert decoded.log_probability[number].item() == pytest.approx(chances[best])


def test_a_wider_beam_is_never_less_likely_here_and_sometimes_more(decoder, feature_map):
    scores = [beam_search(decoder, feature_map, STEPS, width).log_probability for width in (1, 3, 25)]
    for narrow, wide in itertools.pairwise(scores):
        assert (wide >= narrow - 1e-12).all()
    assert (scores[-1] > scores[0] + 1e-6).any()


def beam_by_hand(decoder, feature_map, width):
    """One picture's beam search with a list of (log-probability, words), each caption decoded anew."""
    beams = [(0.0, [])]
    for _ in range(STEPS):
        grown = [beam for beam in beams if END in beam[1]]
        for score, words in beams:
            if END not in words:
                chances = decoder(feature_map[None], torch.tensor([*words, END])[None, None])[0, 0, -1].log_softmax(0)
                grown += [(score + chances[word].item(), [*words, word]) for word in range(WORDS)]
        beams = sorted(grown, reverse=True)[:width]
    return beams[0]


@pytest.mark.parametrize("width", [2, 4])
def test_a_beam_is_that_of_a_list_by_hand(decoder, width):
    many = 2 * torch.randn(25, CHANNELS, 2, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    decoded = beam_search(decoder, many, STEPS, width)
    state, memory = decoder.begin(many, 1)
    last = torch.full((len(many), 1), END)
    for step in range(STEPS):  # the maps are those of its own words
        _, state, weights = decoder.step(last, state, memory)
        live = (decoded.words[:, :step] != END).all(dim=1)
        assert_close(decoded.attention[live, step].flatten(1), weights[live, 0])
        last = decoded.words[:, [step]]
    for number, made in enumerate(decoded.words.tolist()):
        score, words = beam_by_hand(decoder, many[number], width)
        assert made == words + [END] * (STEPS - len(words))
        assert decoded.log_probability[number].item() == pytest.approx(score)


def test_a_beam_of_none_is_refused(decoder, feature_map):
    with pytest.raises(ValueError, match="width must be 1 or more, got 0"):
        beam_search(decoder, feature_map, STEPS, 0)
