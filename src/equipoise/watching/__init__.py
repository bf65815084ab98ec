"""A look at the losses of a script that knows nothing of it: ``equipoise doctor -- python train.py``, ``eq.watch()``.

split        a scalar, read back from its graph to the addends that it was summed from
expressions  their values, and how the script calls them
grouping     which of them are parts of the page
look         their gradients, which leave no trace
seen         what was seen, as numbers
watch        counts calls of backward and looks at some
measures     norms, shares and directions of what was seen
findings     what is wrong with the losses, each with what to do
page         what was seen, as text
startup      begins to watch in a process that Python starts
"""

from equipoise.watching.watch import AT, ScriptWatch, watch

__all__ = ["AT", "ScriptWatch", "watch"]
