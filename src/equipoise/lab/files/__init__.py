"""Files of a folder: written atomically, and read only as they were written."""

from equipoise.lab.files.atomic import (
    DamagedError,
    differences,
    file_hash,
    file_within,
    folder_within,
    is_transient,
    load_with_checksum,
    make_folder,
    open_lock_file,
    read_json,
    replace_file,
    save_with_checksum,
    try_lock,
    write_json,
    write_text,
)
from equipoise.lab.files.rows import read_rows, write_rows

__all__ = [
    "DamagedError",
    "differences",
    "file_hash",
    "file_within",
    "folder_within",
    "is_transient",
    "load_with_checksum",
    "make_folder",
    "open_lock_file",
    "read_json",
    "read_rows",
    "replace_file",
    "save_with_checksum",
    "try_lock",
    "write_json",
    "write_rows",
    "write_text",
]
