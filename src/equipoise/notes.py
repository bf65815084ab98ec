"""Notes on an exception: Python shows them below it from 3.11 on, commands and pytest show them always."""


def add_note(error: BaseException, note: str) -> None:
    """Say more about an exception that propagates."""
    if hasattr(error, "add_note"):
        error.add_note(note)
    else:
        error.__notes__ = [*getattr(error, "__notes__", ()), note]
