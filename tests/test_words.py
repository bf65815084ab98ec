"""What users read has the field's words: none that was coined here stands in documents or in strings of the package."""

import ast
import re
from pathlib import Path

import pytest

import equipoise

ROOT = Path(__file__).parent.parent
SOURCE = Path(equipoise.__file__).parent
DOCUMENTS = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")] + sorted((ROOT / "docs").glob("*.md"))

# what was coined -> the field's word
TERMS = {
    r"balancings|(?:a|an|the|each|every|any|no|another|which|whatever|this|one|untuned|tuned|plain) balancing(?! methods?\b)": "method",
    r"yardsticks?": "baseline, single-task baseline",
    r"go(?:es)? on(?: with)?|went on": "resumes, continues",
    r"told apart|tells? (?:\w+ )?apart|(?:in)?distinguishable": "significantly different",
    r"luck|lucky": "chance",
    r"pulls? apart": "conflict",
    r"lengths? of (?:the |a )?(?:tasks' )?gradients?": "gradient norms",
    r"what the networks? says?": "predictions",
    r"which class is taken for which": "confusion matrix",
    r"how well each class is found": "per-class precision, recall, F1",
    r"which labels come together": "label co-occurrence",
    r"exhibits?": "diagnostics",
    r"asks? one thing": "restrict the study to one question",
    r"a look before any choice": "gradient diagnostics before training",
    r"shelf|shelves": "loss catalogue, available losses",
    r"how much a task's loss hurts": "preference weight",
    r"at the first weights": "at initialisation",
    r"what a step costs": "cost per step",
    r"to begin with": "suggested starting point",
    r"house|houses|floors?|rooms?|cracks?": "package layout, layer, module, violation",
    r"said": "predicted, printed",
    r"mend(?:s|ed)?": "fix",
}
COINED = re.compile("|".join(rf"\b(?:{term})\b" for term in TERMS), re.IGNORECASE)


def literals(path):
    """Line and text of every string of a file, docstrings too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def found(path):
    if path.suffix == ".py":
        texts = literals(path)
    else:
        texts = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    return [f"{path.name}:{line}: {match[0]!r} in {text[max(0,match.start()-30):match.end()+20]!r}" for line, text in texts for match in COINED.finditer(text)]
