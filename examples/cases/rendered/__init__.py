"""Rendered scenes: pictures of coloured shapes of which everything is known, and sentences that are true of them."""

from rendered.describe import SENTENCES, describe
from rendered.render import Scene, Thing, render_scene, render_scenes
from rendered.shapes import SHAPES
from rendered.surfaces import COLOURS

__all__ = [
    "COLOURS",
    "SENTENCES",
    "SHAPES",
    "Scene",
    "Thing",
    "describe",
    "render_scene",
    "render_scenes",
]
