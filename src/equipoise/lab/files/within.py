"""Paths of a folder that somebody else may have filled: nothing is read or written through a link that leaves it."""

import os
from pathlib import Path


def file_within(folder: Path, name: str) -> Path:
    """``folder / name``, which need not exist.

    Raises:
        ValueError: It lies outside, by an absolute name, by ``..`` or by a link on the way.
    """
    path = folder / name
    top, place = Path(os.path.realpath(folder)), Path(os.path.realpath(path))
    if not place.is_relative_to(top):
        raise ValueError(f"{path} leads outside {folder}, to {place}: it is not read; put a copy in its place")
    return path


def folder_within(folder: Path, name: str) -> Path:
    """The folder ``folder / name`` itself, made if it is not there.

    Raises:
        ValueError: It is a link.
    """
    path = folder / name
    if path.is_symlink():
        raise ValueError(f"{path} is a link, and nothing is written through it: delete it")
    path.mkdir(exist_ok=True)
    return path
