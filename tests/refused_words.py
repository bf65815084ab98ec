"""What the command line refuses."""

import pytest

from equipoise.cli import main


def refused(capsys, *words):
    """The one line that these words end in."""
    with pytest.raises(SystemExit) as left:
        main(words)
    output = capsys.readouterr()
    assert (left.value.code, output.out) == (2, "")
    assert output.err.count("\n") == 1
    return output.err
