"""Reads a written report back, by its own ways: an HTML parser and the JSON inside."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

from equipoise.lab import reports
from equipoise.lab.evaluation import StudyResults, Summary


def write_report(folder, **options):
    """The report of a study's folder."""
    study = StudyResults.from_folder(folder)
    return reports.write_report(study, Summary.of_study(study), **options)


class Page(HTMLParser):
    """The text of each cell and section, the exact numbers, and every address the page names."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.tables: dict[str, list[list[tuple[str, list[float]]]]] = {}
        self.text: list[str] = []
        self._table = ""
        self._raw = False
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.addresses += [given[name] for name in ("src", "href", "action", "data", "poster") if given.get(name)]
        if tag == "div" and given.get("class") == "table":
            self._table = given["aria-label"]
            self.tables[self._table] = []
        elif tag == "tr":
            self.tables[self._table].append([])
        elif tag in ("td", "th"):
            self.tables[self._table][-1].append(("", []))
        elif tag == "data":
            self.tables[self._table][-1][-1][1].append(float(given["value"]))
        self._raw = tag in ("script", "style")

    def handle_endtag(self, tag):
        if tag == "table":
            self._table = ""

    def handle_data(self, data):
        if self._raw:
            return
        self.text.append(data)
        if self._table and self.tables[self._table] and self.tables[self._table][-1]:
            text, values = self.tables[self._table][-1][-1]
            self.tables[self._table][-1][-1] = (text + data, values)

    def row(self, table: str, method: str) -> list[tuple[str, list[float]]]:
        """The cells after a method's name."""
        return next(cells[1:] for cells in self.tables[table] if cells[0][0].strip() == method)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))

    @property
    def figures(self) -> dict:
        return json.loads(re.search(r'<script id="figures"[^>]*>(.*?)</script>', self.source, re.S).group(1))
