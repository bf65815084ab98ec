"""Words of the site's search: English ones by their stem, and each pair of neighbouring characters of a Chinese run.

Chinese has no blanks between words. With pairs, 显存 finds every page where the two stand side by side.
"""

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

_RUNS = re.compile(r"([\u4e00-\u9fff]+)|[^\W\u4e00-\u9fff]+")


class Search(SearchEnglish):
    """Splits pages, and by the same rule in JavaScript what a reader types."""

    js_splitter_code = r"""
var splitQuery = (query) =>
  (query.match(/[\u4e00-\u9fff]+|(?:(?![\u4e00-\u9fff])[\p{Letter}\p{Number}_])+/gu) ?? [])
    .flatMap((run) =>
      /^[\u4e00-\u9fff]{2,}$/.test(run) ? [...run].slice(1).map((next, place) => run[place] + next) : [run]);
"""

    def split(self, input: str) -> list[str]:  # noqa: A002  # Sphinx's name
        """Of a page.

        >>> Search({}).split("显存变成 3 times")
        ['显存', '存变', '变成', '3', 'times']
        """
        return [word for run in _RUNS.finditer(input) for word in (_pairs(run[1]) if run[1] else [run[0]])]


def _pairs(run: str) -> list[str]:
    return [run[place : place + 2] for place in range(max(1, len(run) - 1))]


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx: its English search is this one."""
    app.add_search_language(Search)
    return {"parallel_read_safe": True}
