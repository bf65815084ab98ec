"""What a study says of a table: its verdict or its advice, with the sentences below the table."""

from equipoise.lab.evaluation.advice import advise
from equipoise.lab.evaluation.findings import details_of
from equipoise.lab.evaluation.headline import headline_of


def told(table, metrics, seeds):
    """The verdict, then the details."""
    return " ".join([headline_of(table, metrics, seeds), *details_of(table, metrics)])


def advised(table, metrics):
    """The advice, then the details."""
    return " ".join([str(advise(table, metrics)), *details_of(table, metrics)])
