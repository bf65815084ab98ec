"""A digit that is shown, a note that is played, and words on both: three tasks, and parts of the inputs missing.

    equipoise compare examples/cases/senses.py:make_case --methods sum,uw,pcgrad --seeds 3

A third of the samples has no picture, a third no sound, a third no words, each by chance and by itself. What is not
there is zero, and a mark says so. The encoders are those of a table's columns.
"""

import math

import torch
from sklearn.datasets import load_digits
from torch import nn

import equipoise as eq
from equipoise.lab.cases import Case
from equipoise.lab.data.arrays import Arrays
from equipoise.lab.data.sounds import RATE, log_mel
from equipoise.lab.models.encoders import RowEncoder
from equipoise.lab.models.heads import SharedEncoder, scalar_head
from equipoise.lab.models.pictures import picture_part

SPLITS = {"train": (0, 1000, 1500), "validation": (1000, 1400, 400), "test": (1400, 1797, 400)}  # by who wrote them
TIMBRES = {"flute": torch.sin, "clarinet": lambda x: x.sin().sign(), "violin": lambda x: x / math.pi % 2 - 1}
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
WORDS = ["", *DIGITS, *TIMBRES, "low", "middle", "high"]  # by number; an octave for each of the last three
LOWEST, OCTAVES = 8.0, 3.0  # log2 of Hz: 256 to 2,048
SECONDS, ABSENT, UNSAID = 0.2, 1 / 3, 1 / 2


def sounds(pitch, timbre, generator):
    """Log-mel spectrograms [N, 1, 1, 64, T] of notes in noise that begin anywhere in their period."""
    time = torch.arange(round(SECONDS * RATE)) / RATE
    phase = 2 * math.pi * (2 ** pitch[:, None] * time + torch.rand(len(pitch), 1, generator=generator))
    waves = torch.stack([make(phase) for make in TIMBRES.values()])[timbre, torch.arange(len(pitch))]
    loud = 0.02 + 0.2 * torch.rand(len(pitch), 1, generator=generator)
    return log_mel(loud * waves + 0.1 * torch.randn(waves.shape, generator=generator))[:, None, None]


def sentences(digit, timbre, pitch, generator):
    """Numbers of words [N, 3], such as "seven violin low", each left unsaid, which is 0, in half of the samples."""
    firsts = [1, 1 + len(DIGITS), 1 + len(DIGITS) + len(TIMBRES)]
    words = torch.stack([digit, timbre, (pitch - LOWEST).long()], dim=1) + torch.tensor(firsts)
    return words * (torch.rand(words.shape, generator=generator) >= UNSAID)


def samples(first, last, count):
    digits, generator = load_digits(), torch.Generator().manual_seed(first)
    chosen = torch.randint(first, last, (count,), generator=generator)
    digit, timbre = torch.tensor(digits.target)[chosen], torch.randint(len(TIMBRES), (count,), generator=generator)
    pitch = LOWEST + OCTAVES * torch.rand(count, generator=generator)
    pictures = torch.tensor(digits.images * 15).byte().repeat_interleave(2, 1).repeat_interleave(2, 2)
    said = sentences(digit, timbre, pitch, generator)
    parts = pictures[chosen][:, None, None], sounds(pitch, timbre, generator), said
    there = torch.rand(count, len(parts), generator=generator) >= ABSENT
    for part, kept in zip(parts, there.T, strict=True):
        part[~kept] = 0
    return Arrays((*parts, there.float()), {"digit": digit, "timbre": timbre, "pitch": pitch})


class Senses(nn.Module):
    """[picture, sound, sum of the words, what is there] through two layers."""

    def __init__(self):
        super().__init__()
        words = nn.EmbeddingBag(len(WORDS), 32, mode="sum", padding_idx=0)
        parts = {"picture": picture_part(1, 1), "sound": picture_part(1, 1), "words": (words, 32)}
        self.encoder = RowEncoder({**parts, "there": (nn.Identity(), 3)}, hidden=64)

    def forward(self, inputs):
        return self.encoder(dict(zip(("picture", "sound", "words", "there"), inputs, strict=True)))


def model(names):
    encoder = Senses()
    heads = {"digit": nn.Linear(64, 10), "timbre": nn.Linear(64, len(TIMBRES)), "pitch": scalar_head(64, offset=9.5)}
    return SharedEncoder(encoder, {name: heads[name] for name in names})


def make_case():
    known = {"digit": nn.CrossEntropyLoss(), "timbre": nn.CrossEntropyLoss(), "pitch": nn.MSELoss()}
    tasks = eq.Tasks([eq.Task(name, loss) for name, loss in known.items()])
    data = {name: samples(*split) for name, split in SPLITS.items()}
    return Case("senses", tasks, data, model, {}, batch_size=64, epochs=10, patience=5, learning_rate=2e-3)
