"""What ``equipoise.lab`` offers to a notebook, and the command line calls: one function or class of it per file."""

from equipoise.lab import extra  # noqa: F401
