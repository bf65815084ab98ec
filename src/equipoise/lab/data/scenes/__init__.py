"""Rendered scenes: pictures of coloured shapes of which everything is known, and sentences that are true of them."""

from equipoise.lab.data.scenes.describe import SENTENCES, describe
from equipoise.lab.data.scenes.files import write_scenes
from equipoise.lab.data.scenes.render import Scene, Thing, render_scene, render_scenes
from equipoise.lab.data.scenes.shapes import SHAPES
from equipoise.lab.data.scenes.surfaces import COLOURS

__all__ = [
    "COLOURS",
    "SENTENCES",
    "SHAPES",
    "Scene",
    "Thing",
    "describe",
    "render_scene",
    "render_scenes",
    "write_scenes",
]
