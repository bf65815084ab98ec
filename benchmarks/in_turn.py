"""Data sets that never share a batch: how near InTurn is to the joint decision, and whether it helps.

    EQUIPOISE_DATA=data python benchmarks/in_turn.py angles   # data/goemotions/train.tsv, beside the reviews
    python benchmarks/in_turn.py study                        # titles of reviews, and names of Debian's packages

*angles*: a text network trains on emotions of comments and ratings of reviews in turn. Every fifth cycle of two steps,
after the first 50, the same two batches are also given to the method at once: the angle between the two combined
gradients by the shared parameters, and that of the plain sum.

*study*: two sets of pairs, of which each finds its partner among 64, by one encoder, over five seeds.
"""

import argparse
import csv
import gzip
import math
import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import torch
from torch import nn

import equipoise as eq
from equipoise import lab
from equipoise.lab.cases.goemotions import GROUPS, read_comments, read_labels
from equipoise.lab.cases.reviews import embedded_reviews

WORDS, WIDTH = 8000, 64


def read_reviews():
    return list(csv.DictReader(gzip.decompress(embedded_reviews()).decode("utf-8").splitlines()))


def emotions():
    """Comments, and whether each has a positive, negative or ambiguous emotion."""
    folder = Path(os.environ["EQUIPOISE_DATA"]) / "goemotions"
    names = read_labels(folder)
    comments = read_comments(folder / "train.tsv", len(names))
    columns = [[names.index(label) for label in GROUPS[group]] for group in ("positive", "negative", "ambiguous")]
    return comments.texts, torch.stack([comments.labels[:, found].amax(dim=1) for found in columns], dim=1).float()


def packages():
    """Names and descriptions of the packages that apt offers, one of each description."""
    printed = subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True, text=True).stdout
    found = re.findall(r"^Package: (.+?)$.*?^Description: (.+?)$", printed, re.MULTILINE | re.DOTALL)
    return list({description: (re.sub(r"[-0-9.]+", " ", name), description) for name, description in found}.values())


def word_lists(texts):
    return [re.findall(r"[a-z']+", str(text).lower()) or ["nothing"] for text in texts]


def numbered(*several):
    """Lists of texts as lists of tensors, by the most frequent words of all."""
    lists = [word_lists(texts) for texts in several]
    counts = Counter(word for texts in lists for words in texts for word in words)
    number = {word: i for i, (word, _) in enumerate(counts.most_common(WORDS - 1), start=1)}
    return [[torch.tensor([number.get(word, 0) for word in words]) for words in texts] for texts in lists]


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.layer = nn.EmbeddingBag(WORDS, WIDTH), nn.Linear(WIDTH, 2 * WIDTH)

    def forward(self, texts):
        starts = torch.tensor([0, *(len(text) for text in texts[:-1])]).cumsum(dim=0)
        return torch.tanh(self.layer(self.table(torch.cat(texts), starts)))


def degrees(one, other):
    return math.degrees(math.acos(min(1.0, float(one @ other / one.norm() / other.norm()))))


def angles(name, cycles):
    """Median and 90 % quantile of the angle of InTurn, and of the plain sum, to the method on both batches."""
    torch.manual_seed(0)
    (comments, groups), reviews = emotions(), read_reviews()
    texts = dict(zip(("emotions", "rating"), numbered(comments, [row["Review Text"] for row in reviews]), strict=True))
    ratings = torch.tensor([float(row["Rating"]) for row in reviews])[:, None]
    targets = {"emotions": groups, "rating": ratings}
    criteria = {"emotions": nn.BCEWithLogitsLoss(), "rating": nn.MSELoss()}
    model = nn.ModuleDict({"trunk": Encoder(), "emotions": nn.Linear(128, 3), "rating": nn.Linear(128, 1)})
    balancer = eq.Balancer(eq.InTurn(eq.method(name)), model, tasks=list(criteria))
    joint = eq.Balancer(eq.method(name), model, tasks=list(criteria), monitor="off")
    optimizer, found = torch.optim.Adam(model.parameters(), lr=1e-3), []
    for cycle in range(cycles):
        weights, losses = {}, {}
        for task, criterion in criteria.items():
            drawn = torch.randint(len(texts[task]), (64,)).tolist()

            def loss(task=task, criterion=criterion, drawn=drawn):
                z = model["trunk"]([texts[task][i] for i in drawn])
                return criterion(model[task](z), targets[task][drawn])

            losses[task] = loss
            balancer({task: loss()}).backward()
            weights[task] = balancer.record.weights[task]
            optimizer.step()
            optimizer.zero_grad()
        if cycle >= 50 and cycle % 5 == 0:
            now = {task: loss() for task, loss in losses.items()}
            shared = list(model["trunk"].parameters())
            rows = {
                task: torch.cat([g.flatten() for g in torch.autograd.grad(one, shared, retain_graph=True)])
                for task, one in now.items()
            }
            joint(now).backward()
            optimizer.zero_grad()
            exact = sum(joint.record.weights[task] * rows[task] for task in rows)
            found.append(
                (degrees(sum(weights[task] * rows[task] for task in rows), exact), degrees(sum(rows.values()), exact))
            )
    ours, plain = torch.tensor(found).T
    print(f"| {name} | {ours.median():.1f} | {ours.quantile(0.9):.1f} | {plain.median():.1f} |", flush=True)


def study(steps, seeds):
    """Recall of the partner among 64 on test pairs; a batch is of one set."""
    titles = [(row["Title"], row["Review Text"]) for row in read_reviews() if row["Title"]]
    sides = numbered(*zip(*titles[:6000], strict=True), *zip(*packages()[:6000], strict=True))
    pairs = {
        name: list(zip(*both, strict=True)) for name, both in {"reviews": sides[:2], "packages": sides[2:]}.items()
    }
    criterion = eq.losses.InfoNCELoss(learnable=False)

    def run(arm, seed):
        model = nn.ModuleDict({"trunk": Encoder(), "reviews": nn.Linear(128, 64), "packages": nn.Linear(128, 64)})
        balancer = arm.balancer(model, list(pairs))
        optimizer = torch.optim.Adam([*model.parameters(), *balancer.parameters()], lr=2e-3)
        split = {name: len(found) - 1024 for name, found in pairs.items()}

        def embedded(name, chosen):
            return [model[name](model["trunk"]([pairs[name][i][side] for i in chosen])) for side in (0, 1)]

        for step in range(steps):
            name = list(pairs)[step % 2]
            optimizer.zero_grad()
            balancer({name: criterion(tuple(embedded(name, torch.randint(split[name], (64,)).tolist())))}).backward()
            optimizer.step()
        recall = {}
        for name, first in split.items():
            right = 0
            with torch.no_grad():
                for start in range(first, first + 1024, 64):
                    one, other = (nn.functional.normalize(z, dim=1) for z in embedded(name, range(start, start + 64)))
                    right += int(((one @ other.T).argmax(dim=1) == torch.arange(64)).sum())
            recall[f"{name}/recall"] = right / 1024
        return recall

    methods = {"sum": "sum", "uw": "uw"}
    methods |= {f"in-turn {name}": eq.InTurn(eq.method(name)) for name in ("mgda", "nash-mtl", "upgrad")}
    tasks = dict.fromkeys(pairs, ("recall", "higher"))
    print(lab.compare(run, methods=methods, seeds=seeds, tasks=tasks, folder=options.out))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["angles", "study"])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.what == "study":
        study(options.steps, options.seeds)
    else:
        assert "EQUIPOISE_DATA" in os.environ, "EQUIPOISE_DATA names the folder with goemotions/"
        for name in ("mgda", "nash-mtl", "upgrad", "config"):
            angles(name, options.steps)
