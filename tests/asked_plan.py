"""What a command line asks ``make_plan`` for."""

import pytest

from equipoise.cli import main


def first_call(monkeypatch, words):
    """Its arguments by place and by name; nothing is planned."""
    seen = []

    def note(*arguments, **options):
        seen.append((arguments, options))
        raise ValueError("seen")

    monkeypatch.setattr("equipoise.lab.studies.make_plan", note)
    with pytest.raises(SystemExit):
        main(list(words))
    return seen[0]
