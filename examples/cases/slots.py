"""Intents with slots: what a sentence asks for, and which of its words say of what, a tag for every word.

    equipoise compare examples/cases/slots.py:make_case --methods sum,uw,pcgrad --seeds 3

One layout from loss to metric: tags are logits [B, T, V] and classes [B, T], -100 where a sentence has ended.
"""

import random
from functools import partial

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

import equipoise as eq
from equipoise.lab.cases import Case, Metric
from equipoise.lab.metrics.spans import span_f1

VALUES = {
    "city": ["boston", "denver", "new york", "san francisco", "washington", "york", "paris", "paris texas"],
    "day": ["monday", "next friday", "tomorrow", "the third of may", "may third", "sunday evening"],
    "artist": ["boston", "the paris sisters", "may", "denver", "friday", "the new york dolls", "washington"],
}
TEMPLATES = {
    "flight": ["flights from {city} to {city} {day}", "get me to {city} {day}", "i fly {city} {city} {day}"],
    "fare": ["what is it from {city} to {city}", "how much to {city} {day}", "the cheapest to {city}"],
    "weather": ["will it rain in {city} {day}", "how is {city} {day}", "is it warm {day} in {city}"],
    "music": ["play {artist}", "how is the new {artist}", "get me {artist} {day}", "what is new from {artist}"],
}
INTENTS, TAGS = list(TEMPLATES), ["O", *(f"{b}-{slot}" for slot in VALUES for b in "BI")]
TEXTS = " ".join(text for texts in [*VALUES.values(), *TEMPLATES.values()] for text in texts)
WORDS = {word: number for number, word in enumerate(sorted(set(TEXTS.split())), start=1)}  # 0 is padding


def sentence(rng):
    """Numbers of words [T], a tenth of them misheard, and the targets: a fifth of the sentences has no intent."""
    intent, words, tags = rng.choice(INTENTS), [], []
    for word in rng.choice(TEMPLATES[intent]).split():
        slot = word.strip("{}")
        value = rng.choice(VALUES[slot]).split() if slot != word else [word]
        words += [one if rng.random() < 0.9 else rng.choice(list(WORDS)) for one in value]
        tags += [TAGS.index(f"{'I' if place else 'B'}-{slot}") if slot != word else 0 for place in range(len(value))]
    known = INTENTS.index(intent) if rng.random() < 0.8 else -100
    return torch.tensor([WORDS[word] for word in words]), {"intent": torch.tensor(known), "slots": torch.tensor(tags)}


def collate(samples):
    words = pad_sequence([inputs for inputs, _ in samples], batch_first=True)
    slots = pad_sequence([target["slots"] for _, target in samples], batch_first=True, padding_value=-100)
    return words, {"intent": torch.stack([target["intent"] for _, target in samples]), "slots": slots}


class Reader(nn.Module):
    """A word and the two on either side of it; padding is 0 throughout, so its length changes nothing."""

    def __init__(self, names):
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS) + 1, 32, padding_idx=0)
        self.layer = nn.Conv1d(32, 64, kernel_size=5, padding=2)
        sizes = {"intent": len(INTENTS), "slots": len(TAGS)}
        self.heads = nn.ModuleDict({name: nn.Linear(64, sizes[name]) for name in names})

    def forward(self, words):
        states = self.layer(self.embedding(words).transpose(1, 2)).transpose(1, 2).relu()  # [B, T, 64]
        features = {"intent": states.masked_fill(words[:, :, None] == 0, 0.0).amax(dim=1), "slots": states}
        return {name: head(features[name]) for name, head in self.heads.items()}


def make_case():
    tasks = eq.Tasks(
        [eq.Task("intent", nn.CrossEntropyLoss()), eq.Task("slots", eq.losses.PerToken(nn.CrossEntropyLoss()))]
    )
    rng = random.Random(0)
    f1 = Metric("span-f1", higher_is_better=True, perfect=1.0, trivial=0.0, compute=partial(span_f1, tags=TAGS))
    data = [sentence(rng) for _ in range(1500)]
    return Case("slots", tasks, data, Reader, {"slots": [f1, "accuracy"]}, 32, collate=collate, learning_rate=3e-3)
