"""One HTML page and figure files for a study, or for two of them."""

from equipoise.lab.reports.report import write_report, write_short_report, write_training_report
from equipoise.lab.reports.terminal import SummaryView, print_summary
from equipoise.lab.reports.two_studies import TwoStudies, write_two_page

__all__ = [
    "SummaryView",
    "TwoStudies",
    "print_summary",
    "write_report",
    "write_short_report",
    "write_training_report",
    "write_two_page",
]
