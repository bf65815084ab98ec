"""From a decoder to a caption: greedily, the likeliest word one after the other, or by beam search."""

from typing import NamedTuple

import torch
from torch import Tensor

from captioning.decoder import CaptionDecoder, State


class Decoded(NamedTuple):
    """One caption of each picture.

    Args:
        words: Numbers of words [N, T], int64; the end, and the end again after it.
        attention: The weights of places when each word was chosen [N, T, h, w]; each map sums to 1.
        log_probability: Of the caption up to its end [N].
    """

    words: Tensor
    attention: Tensor
    log_probability: Tensor


@torch.no_grad()
def greedy(decoder: CaptionDecoder, feature_map: Tensor, steps: int) -> Decoded:
    """A caption of at most ``steps`` words, its end counted, for each feature map [N, channels, h, w]."""
    state, memory = decoder.begin(feature_map, captions=1)
    last = torch.full((len(feature_map), 1), decoder.end, device=feature_map.device)
    ended = torch.zeros_like(last, dtype=torch.bool)
    log_probability = torch.zeros_like(last, dtype=feature_map.dtype)
    words, attention = [], []
    for _ in range(steps):
        features, state, weights = decoder.step(last, state, memory)
        best, last = decoder.logits(features).log_softmax(dim=-1).max(dim=-1)
        last = last.masked_fill(ended, decoder.end)
        log_probability = log_probability + best.masked_fill(ended, 0.0)
        ended = last == decoder.end
        words.append(last)
        attention.append(weights)
    maps = torch.cat(attention, dim=1).unflatten(2, feature_map.shape[2:])
    return Decoded(torch.cat(words, dim=1), maps, log_probability.squeeze(1))


@torch.no_grad()
def beam_search(decoder: CaptionDecoder, feature_map: Tensor, steps: int, width: int) -> Decoded:
    """A caption of at most ``steps`` words, its end counted, for each feature map [N, channels, h, w].

    After each word the ``width`` likeliest beginnings are kept, those that ended among them. Width 1 is greedy; a width
    of V^steps leaves nothing out. Scores are not divided by length.

    Raises:
        ValueError: If the width is less than 1.
    """
    if width < 1:
        raise ValueError(f"width must be 1 or more, got {width}")
    state, memory = decoder.begin(feature_map, captions=1)
    count = len(feature_map)
    scores = feature_map.new_zeros(count, 1)  # [N, beams]; one beam at first, then up to ``width``
    words = torch.full((count, 1, 1), decoder.end, device=feature_map.device)  # [N, beams, 1 + words so far]
    attention = feature_map.new_empty(count, 1, 0, memory.places.shape[1])
    for step in range(steps):
        features, state, weights = decoder.step(words[:, :, -1], state, memory)
        chances = decoder.logits(features).log_softmax(dim=-1)  # [N, beams, V]
        if step:
            ended = words[:, :, -1] == decoder.end
            chances = chances.masked_fill(ended[:, :, None], -torch.inf)
            chances[:, :, decoder.end].masked_fill_(ended, 0.0)
        candidates = (scores[:, :, None] + chances).flatten(1)
        scores, chosen = candidates.topk(min(width, candidates.shape[1]), dim=1)
        parents, following = chosen // chances.shape[2], chosen % chances.shape[2]
        words = torch.cat([_of(words, parents), following[:, :, None]], dim=2)
        attention = torch.cat([_of(attention, parents), _of(weights, parents)[:, :, None]], dim=2)
        state = State(*(_of(part, parents) for part in state))
    maps = attention[:, 0].unflatten(2, feature_map.shape[2:])
    return Decoded(words[:, 0, 1:], maps, scores[:, 0])


def _of(beams: Tensor, parents: Tensor) -> Tensor:
    """Of beams [N, B, ...] those of the numbers [N, B'], in their order."""
    return beams[torch.arange(len(beams), device=beams.device)[:, None], parents]
