"""Reports: a study folder in, one self-contained page and the same figures as PNG and SVG out."""

from equipoise.lab.reports.report import write_report

__all__ = ["write_report"]
