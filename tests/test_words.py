"""What users read has the field's words: none that was coined here is in a document or a string of the package."""

import ast
import re
from pathlib import Path

import pytest

import equipoise

ROOT = Path(__file__).parent.parent
SOURCE = Path(equipoise.__file__).parent
DOCUMENTS = [*(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING")), *(ROOT / "docs").rglob("*.md")]

# what was coined here, as a pattern, and the field's word
TERMS = {
    r"balancings|(?:a|any|each|every|no|one|which) balancing(?! (?:method|parameter|problem))": "method",
    r"yardsticks?": "baseline, single-task baseline",
    r"go(?:es)? on|went on": "resumes, continues",
    r"t(?:old|ells?) (?:\w+ )?apart|(?:in)?distinguishable": "significantly different, separated",
    r"luck|lucky": "chance",
    r"pulls? apart": "conflict",
    r"lengths? of (?:an? |the |a task's |the tasks' )?gradients?": "gradient norms",
    r"what the networks? says?": "predictions",
    r"which class is taken for which": "confusion matrix",
    r"how well each class is found": "per-class precision, recall, F1",
    r"which labels come together": "label co-occurrence",
    r"exhibits?(?!\.json|\.csv|/|:)": "diagnostics",
    r"asks? one thing": "restrict the study to one question",
    r"a look before any choice": "gradient diagnostics before training",
    r"shelf|shelves": "available losses or methods, catalogue",
    r"how much a task's loss hurts": "preference weight",
    r"at the first weights": "at initialisation",
    r"what a step costs": "cost per step",
    r"to begin with": "suggested starting point",
    r"house|cracks?|(?:a|every|only|the|their) rooms?(?! for)": "package layout, layer, module, buffer",
    r"said": "predicted, printed, given",
    r"mend(?:s|ed)?": "fix",
}
COINED = re.compile("|".join(rf"\b(?:{term})\b" for term in TERMS), re.IGNORECASE)
NAMES = ("exhibits",)  # keys of files that older versions wrote


def found(lines):
    """Every coined word in numbered texts."""
    return [
        f"line {number}: {match[0]!r} in {text[max(0, match.start() - 30) : match.end() + 20]!r}"
        for number, text in lines
        for match in COINED.finditer(text)
        if text not in NAMES
    ]


def strings(path):
    """Line and text of every string of a Python file, docstrings too."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [
        (node.lineno, node.value) for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_have_the_words_of_the_field(path):
    assert found(enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)) == []


def test_strings_of_the_package_have_the_words_of_the_field():
    wrong = {str(path.relative_to(SOURCE)): found(strings(path)) for path in sorted(SOURCE.rglob("*.py"))}
    assert {path: lines for path, lines in wrong.items() if lines} == {}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Balancings by name", "Balancings"),
        ("does any balancing beat it", "any balancing"),
        ("the same command goes on", "goes on"),
        ("not distinguishable from the sum", "distinguishable"),
        ("the lengths of the gradients", "lengths of the gradients"),
        ("every loss on the shelf", "shelf"),
    ],
)
def test_a_coined_word_is_found(text, word):
    (line,) = found([(7, text)])
    assert line.startswith(f"line 7: {word!r}")


@pytest.mark.parametrize("text", ["any balancing method", "exhibits.json", "a household", "a floor under the weights"])
def test_the_fields_words_pass(text):
    assert found([(1, text)]) == []
