"""Twenty-eight imbalanced labels of a sentence: cross-entropy alone, and mixed with soft-F1.

    EQUIPOISE_DATA=path/to/data python examples/multi_label_goemotions.py

Reads ``goemotions/{train,dev,test}.tsv`` and ``labels.txt`` as published (github.com/google-research/google-research,
goemotions/data). Macro-F1 at a threshold of 1/2: cross-entropy alone hardly ever says a rare label.
"""

import collections
import os
import re
import sys
from pathlib import Path

import torch
from torch import nn

import equipoise as eq
from equipoise import losses
from equipoise.lab.metrics import metric

EPOCHS, BATCH, WORDS = 6, 256, 12_000


def read(path: Path, num_labels: int):
    """Texts, and labels [N, num_labels]."""
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    labels = torch.zeros(len(lines), num_labels)
    for row, (_, numbers, _) in enumerate(lines):
        labels[row, [int(number) for number in numbers.split(",")]] = 1.0
    return [re.findall(r"\w+", text.lower()) for text, _, _ in lines], labels


def batch(texts, vocabulary):
    """Word numbers end to end, and where each text begins."""
    numbered = [[vocabulary[word] for word in text if word in vocabulary] or [0] for text in texts]
    starts = torch.tensor([0, *map(len, numbered[:-1])]).cumsum(dim=0)
    return torch.tensor([number for text in numbered for number in text]), starts


class Emotions(nn.Module):
    def __init__(self, num_labels: int) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(WORDS, 64, mode="mean")
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, num_labels))

    def forward(self, words, starts):
        return {"emotions": self.head(self.words(words, starts))}


def train(loss, folder: Path) -> float:
    """Macro-F1 on the test split."""
    torch.manual_seed(0)
    num_labels = len((folder / "labels.txt").read_text().splitlines())
    texts, labels = read(folder / "train.tsv", num_labels)
    counts = collections.Counter(word for text in texts for word in text)
    vocabulary = {word: number + 1 for number, (word, _) in enumerate(counts.most_common(WORDS - 1))}
    model = Emotions(num_labels)
    tasks = eq.Tasks([eq.Task("emotions", loss)])
    balancer = eq.Balancer(eq.Sum(), model, tasks=tasks)
    optimizer = torch.optim.Adam([*model.parameters(), *tasks.parameters()], lr=3e-3)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(texts)).split(BATCH):
            outputs = model(*batch([texts[i] for i in rows], vocabulary))
            optimizer.zero_grad()
            balancer(tasks.losses(outputs, {"emotions": labels[rows]})).backward()
            optimizer.step()
        parts = {name: round(value, 3) for name, value in balancer.record.parts.get("emotions", {}).items()}
        print(f"loss {balancer.record.total:.4f}  {parts or ''}")
    texts, labels = read(folder / "test.tsv", num_labels)
    model.eval()
    with torch.no_grad():
        logits = model(*batch(texts, vocabulary))["emotions"]
    macro = metric("f1-macro", num_labels=num_labels)
    macro.update(logits, labels.long())
    return float(macro.compute())


def main() -> None:
    folder = Path(os.environ.get("EQUIPOISE_DATA", "data")) / "goemotions"
    if not (folder / "train.tsv").is_file():
        sys.exit(f"no {folder / 'train.tsv'}: set EQUIPOISE_DATA to the folder that holds goemotions/")
    plain = train(nn.BCEWithLogitsLoss(), folder)
    mixed = train(losses.Mixed({"bce": (0.5, nn.BCEWithLogitsLoss()), "soft_f1": (0.5, losses.SoftF1Loss())}), folder)
    print(f"macro-F1 on the test split: {plain:.3f} with cross-entropy, {mixed:.3f} mixed with soft-F1")


if __name__ == "__main__":
    main()
