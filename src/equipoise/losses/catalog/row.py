"""One line of the shelf."""

from dataclasses import dataclass

KINDS = (
    "binary",
    "multi-class",
    "multi-label",
    "ordinal",
    "regression",
    "depth",
    "normals",
    "survival",
    "segmentation",
    "boxes",
    "sequence",
    "alignment",
    "distillation",
    "gan",
    "vae",
    "reinforcement",
    "any",  # wrappers, penalties, schedules
)

CONDITIONS = (
    "imbalanced",
    "noisy labels",
    "outliers",
    "missing labels",
    "uncertainty",  # a spread is predicted beside the value
    "ratios",  # relative errors matter: targets over several orders of magnitude
    "small regions",
    "ranking",  # the metric is F1, IoU or the like, not accuracy
    "many negatives",
)


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
