"""What a finished run can show beyond numbers: matrices, tables and galleries, made once on the validation split."""

from equipoise.lab.exhibits.confusion import class_table, confusion
from equipoise.lab.exhibits.decisions import above_half, largest, level
from equipoise.lab.exhibits.exhibit import Exhibit, Seen
from equipoise.lab.exhibits.labels import label_table
from equipoise.lab.exhibits.overlap import label_overlap, labelled_together, said_overlap
from equipoise.lab.exhibits.pictures import coloured, overlaid
from equipoise.lab.exhibits.result import Card, Gallery, Matrix, Picture, Result, Shown, Table
from equipoise.lab.exhibits.samples import first_samples, worst_samples
from equipoise.lab.exhibits.store import exhibits_hash, read_exhibits, write_exhibits
from equipoise.lab.exhibits.words import cards, class_words, label_words, number_words

__all__ = [
    "Card",
    "Exhibit",
    "Gallery",
    "Matrix",
    "Picture",
    "Result",
    "Seen",
    "Shown",
    "Table",
    "above_half",
    "cards",
    "class_table",
    "class_words",
    "coloured",
    "confusion",
    "exhibits_hash",
    "first_samples",
    "label_overlap",
    "label_table",
    "label_words",
    "labelled_together",
    "largest",
    "level",
    "number_words",
    "overlaid",
    "read_exhibits",
    "said_overlap",
    "worst_samples",
    "write_exhibits",
]
