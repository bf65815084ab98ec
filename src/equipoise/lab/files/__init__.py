"""Files of a folder: there whole or not at all, and read only as they were written."""

from equipoise.lab.files.rows import read_rows, write_rows
from equipoise.lab.files.whole import (
    DamagedError,
    differences,
    file_hash,
    file_within,
    folder_within,
    is_passing,
    load_sealed,
    make_folder,
    open_to_hold,
    read_json,
    replace_file,
    save_sealed,
    try_lock,
    write_json,
    write_text,
)

__all__ = [
    "DamagedError",
    "differences",
    "file_hash",
    "file_within",
    "folder_within",
    "is_passing",
    "load_sealed",
    "make_folder",
    "open_to_hold",
    "read_json",
    "read_rows",
    "replace_file",
    "save_sealed",
    "try_lock",
    "write_json",
    "write_rows",
    "write_text",
]
