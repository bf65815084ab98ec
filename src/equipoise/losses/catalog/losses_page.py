"""The catalogue as a page: docs/losses.md."""

from collections.abc import Iterable

from equipoise.losses.catalog import ROWS, TASK_KINDS, LossRow

INTRODUCTION = """\
# Losses

Three ways to find a loss. On the command line, with the reason and the line to paste:

```bash
equipoise losses
equipoise losses f1
equipoise losses --task multilabel --imbalanced
equipoise losses --task regression --outliers --missing-labels
```

A loss has several names: `mse`, `ce`, `svm`, `nn.CrossEntropyLoss`, `FocalLoss`, and the names that `--loss` takes. So
has a kind of task: `classification`, `detection`, `captioning`.

In code, from the targets of the training set: `suggest` checks classes, imbalance, missing labels, range and outliers,
and computes weights from them:

```python
import torch
import equipoise as eq

targets = (torch.rand(1000, 3) < torch.tensor([0.3, 0.05, 0.01])).float()
for suggestion in eq.losses.suggest(task="multilabel", targets=targets):
    print(suggestion)
loss = eq.losses.suggest(targets=targets)[0].loss  # ready to use
```

Or in the tables below. Names with `nn.` are PyTorch's losses. Most of the others are a function and a module, as in
PyTorch: `eq.losses.focal(logits, targets)` and `eq.losses.FocalLoss()`. Inputs are logits, never probabilities. This
page is written by `equipoise losses --markdown`.
"""
HEAD = "| loss | formula | for what | pitfalls | paper | checked against |\n|---|---|---|---|---|---|"


def markdown() -> str:
    """The page: by kind of task, every loss once in full, and by its name under its other kinds."""
    return "\n".join([INTRODUCTION, *(_section(kind) for kind in TASK_KINDS)]).rstrip("\n")


def _section(kind: str) -> str:
    words, plain = TASK_KINDS[kind].words, TASK_KINDS[kind].plain
    of_kind = sorted((row for row in ROWS if kind in row.kinds), key=lambda row: row.name != plain)
    here = [row for row in of_kind if row.kinds[0] == kind]
    elsewhere = [row for row in of_kind if row.kinds[0] != kind]
    parts = [f"## {kind}\n\n{words[0].upper()}{words[1:]}.\n"]
    if here:
        parts.append("\n".join([HEAD, *map(_line, here)]) + "\n")
    if elsewhere:
        also = "Also" if here else "See"
        parts.append(f"{also}: {', '.join(f'[`{row.name}`](#{row.kinds[0]})' for row in elsewhere)}.\n")
    return "\n".join(parts)


def _line(row: LossRow) -> str:
    cells: Iterable[str] = (
        f"`{row.code}`" if row.name[0].isupper() else f"`{row.name}`<br>`{row.code}`",
        f"`{row.formula}`",
        row.use,
        row.pitfalls,
        row.paper,
        row.checked,
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
