"""Samples to look at: the first ones, and those the network is most wrong about."""

from collections.abc import Callable, Sequence

import torch

from equipoise.lab.exhibits.exhibit import Exhibit, Seen
from equipoise.lab.exhibits.result import Card, Gallery

COUNT = 8
Describe = Callable[[Seen, int], Card]  # sample i of the split, with what is true and what the network says of it


def first_samples(tasks: Sequence[str], describe: Describe, count: int = COUNT, legend: str = "") -> Exhibit:
    """The first samples that have a label of each of these tasks.

    Args:
        tasks: Those that ``describe`` speaks of.
        describe: Makes the card of a sample.
        count: How many, at most.
        legend: How to read the pictures.
    """

    def show(seen: Seen) -> Gallery:
        labelled = [set(seen.labelled(task)[0].tolist()) for task in tasks]
        places = sorted(set.intersection(*labelled))[:count]
        note = f"The first samples of the validation split. {legend}".strip()
        return Gallery(tuple(describe(seen, place) for place in places), note)

    return Exhibit("samples", "What the network says of some samples", tuple(tasks), show)


def worst_samples(task: str, describe: Describe, count: int = COUNT, legend: str = "") -> Exhibit:
    """The samples with the largest loss, each taken as a batch of one; arguments as in ``first_samples``."""

    def show(seen: Seen) -> Gallery:
        places, output, target = seen.labelled(task)
        loss = seen.tasks[task].loss
        with torch.no_grad():
            values = torch.stack([loss(output[i : i + 1], target[i : i + 1]).cpu() for i in range(len(places))])
        cards = []
        for i in values.argsort(descending=True)[:count].tolist():
            card = describe(seen, int(places[i]))
            cards.append(Card((*card.lines, f"loss {values[i]:.3g}, mean {values.mean():.3g}"), card.pictures))
        note = f"The largest losses among {len(places)} samples of the validation split. {legend}".strip()
        return Gallery(tuple(cards), note)

    return Exhibit(f"{task}-worst", f"{task}: what the network is most wrong about", (task,), show)
