"""What docstrings say, which the lists and pages of methods and losses are made of."""

import ast
import inspect
import sys
import textwrap
from typing import Any


def paragraphs(documented: Any) -> list[str]:
    """Of a docstring, each in one line; read from the source where ``python -OO`` has stripped it."""
    if sys.flags.optimize < 2:
        text = inspect.getdoc(documented)
    else:
        source: Any = ast.parse(textwrap.dedent(inspect.getsource(documented)))
        text = ast.get_docstring(source if inspect.ismodule(documented) else source.body[0])
    return [paragraph.replace("\n", " ") for paragraph in (text or "").split("\n\n")]
