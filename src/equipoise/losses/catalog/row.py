"""One line of the shelf, and the words it is made of."""

from dataclasses import dataclass

KINDS = {  # of tasks, with what the network gives and what the targets are
    "binary": "yes or no: logits and targets of one shape",
    "multi-class": "one class of C: logits [N, C], classes [N]",
    "multi-label": "any number of L labels: logits and targets [N, L]",
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
    "multi-class": "CrossEntropyLoss",
    "multi-label": "BCEWithLogitsLoss",
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
class Row:
    """A loss for whoever knows the task but not the loss."""

    name: str  # the function's, as it is written in code
    code: str  # the line to paste: loss=...
    kinds: tuple[str, ...]  # of tasks
    formula: str
    use: str  # for what
    pitfalls: str
    paper: str  # or ""
    checked: str  # what the tests hold it against
    suits: tuple[str, ...] = ()  # conditions under which it beats the plain one

    def __post_init__(self) -> None:
        assert set(self.kinds) <= set(KINDS), self
        assert set(self.suits) <= set(CONDITIONS), self
