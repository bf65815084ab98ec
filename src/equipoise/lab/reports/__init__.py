"""One HTML page and figure files for a study, or for two of them."""

from equipoise.lab import extra  # noqa: F401
from equipoise.lab.reports.report import write_report, write_short_report, write_training_report, write_two_page
from equipoise.lab.reports.terminal import SummaryView, print_summary

__all__ = [
    "SummaryView",
    "print_summary",
    "write_report",
    "write_short_report",
    "write_training_report",
    "write_two_page",
]
