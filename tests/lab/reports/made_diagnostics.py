"""Adds to a made-up study folder what its runs show."""

import csv

import torch
from torch import nn

import equipoise as eq
from equipoise.lab import diagnostics as ex
from equipoise.lab.training.evaluate import outputs_of


def matrix(shift):
    counts = ((3 + shift, 1), (0, 4))
    shares = tuple(tuple(n / sum(row) for n in row) for row in counts)
    return ex.Matrix(
        ("cat <b>", "dog"), ("cat <b>", "dog"), "true", "predicted", shares, counts, "Right on the diagonal."
    )


def gallery(shift):
    pixels = torch.full((4, 6, 3), 40 + shift, dtype=torch.uint8)
    return ex.Gallery(
        (ex.Card(("a <i>title</i>", "predicted dog"), (ex.Picture.of(pixels, 'grey "square"'),)),), "First."
    )


def fail(seen):
    raise ValueError("no <u>luck</u>")


def made_diagnostics(shift):
    """Of every kind; ``overlap`` is the same whatever the shift, ``broken`` fails."""
    table = ex.ScoreTable(
        ("class", "F1", "support"), (("cat <b>", 0.5 + shift / 100, 4), ("dog", None, 4)), "Of classes."
    )
    results = {"confusion": matrix(shift), "classes": table, "samples": gallery(shift), "overlap": matrix(9)}
    shown = [ex.Diagnostic(name, f"Title of {name}", ("t",), lambda s, r=r: r) for name, r in results.items()]
    return [*shown, ex.Diagnostic("broken", "Title of broken", ("t",), fail)]


def add_diagnostics(study, methods, seeds=(0, 1)):
    """Write the diagnostics of these methods and seeds, and ``exhibits.csv``."""
    seen = ex.Predictions(nn.Identity(), eq.Tasks([eq.Task("t", nn.MSELoss())]), {}, {}, [], list)
    rows = []
    for shift, method in enumerate(methods):
        for seed in seeds:
            folder = study.path / "runs" / f"{method}-{seed}"
            folder.mkdir(parents=True)
            ex.write_diagnostics(folder, made_diagnostics(shift + 10 * seed), seen)
            rows.append((method, seed, "all", folder.relative_to(study.path)))
    write_index(study, rows)


def add_case(study, case, methods):
    """Write what a case shows of networks with their first weights, on a part of its validation split."""
    rows = []
    split = case.data["validation"]
    for seed, method in enumerate(methods):
        torch.manual_seed(seed)
        model = case.model(case.tasks.names)
        batch = case.collate([split[i] for i in range(40)])
        outputs, targets = outputs_of(model, case.tasks, [batch])
        folder = study.path / "runs" / method
        folder.mkdir(parents=True)
        seen = ex.Predictions(model.eval(), case.tasks, outputs, targets, split, case.collate)
        ex.write_diagnostics(folder, case.diagnostics, seen)
        rows.append((method, 0, "all", folder.relative_to(study.path)))
    write_index(study, rows)


def write_index(study, rows):
    with (study.path / "exhibits.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("method", "seed", "task", "folder"), *rows])
