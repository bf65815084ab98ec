"""Files of a folder: there whole or not at all, and read only as they were written."""

from equipoise.lab.files.damage import DamagedError, is_passing
from equipoise.lab.files.differences import differences
from equipoise.lab.files.rows import read_rows, write_rows
from equipoise.lab.files.sealed import file_hash, load_sealed, read_json, save_sealed, write_json
from equipoise.lab.files.whole import replace_file, write_text
from equipoise.lab.files.within import file_within, folder_within

__all__ = [
    "DamagedError",
    "differences",
    "file_hash",
    "file_within",
    "folder_within",
    "is_passing",
    "load_sealed",
    "read_json",
    "read_rows",
    "replace_file",
    "save_sealed",
    "write_json",
    "write_rows",
    "write_text",
]
