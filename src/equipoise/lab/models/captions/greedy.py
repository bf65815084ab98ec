"""Greedy decoding: the likeliest word, one after the other."""

import torch
from torch import Tensor

from equipoise.lab.models.captions.decoded import Decoded
from equipoise.lab.models.captions.decoder import CaptionDecoder


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
