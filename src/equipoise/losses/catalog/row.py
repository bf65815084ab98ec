"""One line of the loss catalogue, and the words it is made of."""

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass

from equipoise import losses
from equipoise.docstrings import paragraphs


@dataclass(frozen=True)
class TaskKind:
    """What the network gives and what the targets are, the loss that every other has to beat, and other names."""

    words: str
    plain: str = ""
    also: str = ""


TASK_KINDS = {
    "binary": TaskKind(
        "yes or no: logits and targets of one shape", "BCEWithLogitsLoss", "binary classification, yes/no"
    ),
    "multiclass": TaskKind(
        "one class of C: logits [N, C], classes [N]",
        "CrossEntropyLoss",
        "classification, classes, categorical, single-label, multiclass classification",
    ),
    "multilabel": TaskKind(
        "any number of L labels: logits and targets [N, L]",
        "BCEWithLogitsLoss",
        "multilabel classification, tagging, tags",
    ),
    "ordinal": TaskKind("levels that have an order", "CrossEntropyLoss", "levels, ordinal regression, rating"),
    "regression": TaskKind("numbers", "MSELoss", "numbers, number, counts, forecasting"),
    "depth": TaskKind("distances in an image", "L1Loss", "depth estimation"),
    "normals": TaskKind("directions in an image", also="surface normals"),
    "survival": TaskKind("times until an event, some of them cut short", also="time to event"),
    "segmentation": TaskKind(
        "a class or a mask for every pixel",
        "CrossEntropyLoss",
        "semantic segmentation, instance segmentation, mask, masks",
    ),
    "boxes": TaskKind(
        "corners of paired boxes, or maps of where objects are",
        "SmoothL1Loss",
        "detection, object detection, bounding boxes, box",
    ),
    "sequence": TaskKind(
        "a class at every position",
        "CrossEntropyLoss",
        "captioning, captions, text, translation, language modelling, language modeling, speech, tokens, "
        "sequence tagging, sequence labelling, token classification, named entities, slots",
    ),
    "alignment": TaskKind(
        "embeddings that belong together lie together",
        "TripletMarginLoss",
        "ranking, retrieval, contrastive, metric learning, embedding, embeddings, self-supervised",
    ),
    "distillation": TaskKind("what a teacher says", "KLDivLoss", "teacher, knowledge distillation"),
    "gan": TaskKind("generator and discriminator", also="adversarial, generation"),
    "vae": TaskKind("a latent distribution", also="autoencoder, variational"),
    "reinforcement": TaskKind("actions and returns", also="rl, reinforcement learning, policy"),
    "any": TaskKind(
        "wrappers, penalties and schedules, for every kind of task",
        also="regularisation, regularization, penalty, schedule",
    ),
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


@dataclass(frozen=True, kw_only=True)
class LossRow:
    """A loss for whoever knows the task but not the loss.

    What the line to paste and the documentation say is read from there: the name, the formula, which is the first
    paragraph, and the paper, where its module names one only.
    """

    name: str = ""  # the function's; to be given where the line makes no class of that function alone
    code: str  # the line to paste: loss=...
    kinds: tuple[str, ...]  # of tasks
    use: str  # for what
    pitfalls: str
    checked: str = "torch's own"  # what the tests hold it against
    formula: str = ""
    paper: str = ""
    suits: tuple[str, ...] = ()  # conditions under which it beats the plain one

    def __post_init__(self) -> None:
        assert set(self.kinds) <= set(TASK_KINDS), self
        assert set(self.suits) <= set(CONDITIONS), self
        object.__setattr__(self, "name", self.name or _name(self.code))
        if not self.code.startswith("nn."):
            assert self.checked != "torch's own", self
            loss = getattr(losses, self.name)
            object.__setattr__(self, "formula", self.formula or paragraphs(loss)[0].replace("``", "").rstrip("."))
            object.__setattr__(self, "paper", self.paper or _only_paper(paragraphs(inspect.getmodule(loss))))


def _name(code: str) -> str:
    """Of the function that a line to paste calls, or whose class it makes; of torch's, the class's."""
    *_, home, name = code.partition("(")[0].split(".")
    if home == "nn":
        return name
    named = getattr(losses, name)
    made: str = getattr(named, "function", named).__name__
    return made


def _only_paper(texts: Sequence[str]) -> str:
    """The paragraph with a year, where there is one year in all."""
    dated = [paragraph for paragraph in texts for _ in re.findall(r"\b(?:19|20)\d\d\b", paragraph)]
    return dated[0].rstrip(".") if len(dated) == 1 else ""
