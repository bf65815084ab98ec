"""One line of the loss catalogue, and the words it is made of."""

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass

from equipoise import losses

TASK_KINDS = {  # of tasks, with what the network gives and what the targets are
    "binary": "yes or no: logits and targets of one shape",
    "multiclass": "one class of C: logits [N, C], classes [N]",
    "multilabel": "any number of L labels: logits and targets [N, L]",
    "ordinal": "levels that have an order",
    "regression": "numbers",
    "depth": "distances in an image",
    "normals": "directions in an image",
    "survival": "times until an event, some of them cut short",
    "segmentation": "a class or a mask for every pixel",
    "boxes": "corners of paired boxes, or maps of where objects are",
    "sequence": "a class at every position",
    "alignment": "embeddings that belong together lie together",
    "distillation": "what a teacher says",
    "gan": "generator and discriminator",
    "vae": "a latent distribution",
    "reinforcement": "actions and returns",
    "any": "wrappers, penalties and schedules, for every kind of task",
}

CONDITIONS = {  # what may hold of a task, as the end of "it helps when"
    "imbalanced": "some classes or labels are far rarer than others",
    "noisy labels": "some labels are wrong",
    "outliers": "a few targets lie far from the rest",
    "missing labels": "not every sample has its label",
    "uncertainty": "a spread is to be predicted beside the value",
    "ratios": "relative errors matter: targets span orders of magnitude",
    "small regions": "what is looked for fills a small part of the image",
    "ranking": "the metric is F1, IoU or the like, not accuracy",
    "many negatives": "most labels are negative, and easily so",
}

PLAIN = {  # the loss that every other of its kind has to beat
    "binary": "BCEWithLogitsLoss",
    "multiclass": "CrossEntropyLoss",
    "multilabel": "BCEWithLogitsLoss",
    "ordinal": "CrossEntropyLoss",
    "regression": "MSELoss",
    "depth": "L1Loss",
    "segmentation": "CrossEntropyLoss",
    "boxes": "SmoothL1Loss",
    "sequence": "CrossEntropyLoss",
    "alignment": "TripletMarginLoss",
    "distillation": "KLDivLoss",
}


@dataclass(frozen=True)
class LossRow:
    """A loss for whoever knows the task but not the loss.

    What its own documentation says is read from there: the formula, which is the first paragraph, and the paper, where
    its module names one only.
    """

    name: str  # the function's, as it is written in code
    code: str  # the line to paste: loss=...
    kinds: tuple[str, ...]  # of tasks
    use: str  # for what
    pitfalls: str
    checked: str  # what the tests hold it against
    formula: str = ""
    paper: str = ""
    suits: tuple[str, ...] = ()  # conditions under which it beats the plain one

    def __post_init__(self) -> None:
        assert set(self.kinds) <= set(TASK_KINDS), self
        assert set(self.suits) <= set(CONDITIONS), self
        if not self.code.startswith("nn."):
            loss = getattr(losses, self.name)
            object.__setattr__(self, "formula", self.formula or _paragraphs(loss)[0].replace("``", "").rstrip("."))
            object.__setattr__(self, "paper", self.paper or _only_paper(_paragraphs(inspect.getmodule(loss))))


def _paragraphs(documented: object) -> list[str]:
    return [paragraph.replace("\n", " ") for paragraph in (inspect.getdoc(documented) or "").split("\n\n")]


def _only_paper(paragraphs: Sequence[str]) -> str:
    """The paragraph with a year, where there is one year in all."""
    dated = [paragraph for paragraph in paragraphs for _ in re.findall(r"\b(?:19|20)\d\d\b", paragraph)]
    return dated[0].rstrip(".") if len(dated) == 1 else ""
