"""The workbench: fair comparisons from Python. May import the core, never the reverse.

``compare`` trains, ``judge`` takes results from anywhere, ``load`` those of a folder; each gives ``Results``. ``probe``
measures a case's gradients before training, ``tune`` searches weights and settings;
``Recorder`` records a training loop of one's own.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.lab.api.comparing import compare as compare
    from equipoise.lab.api.judging import judge as judge
    from equipoise.lab.api.loops import Arm as Arm
    from equipoise.lab.api.probing import GradientDiagnostics as GradientDiagnostics
    from equipoise.lab.api.probing import probe as probe
    from equipoise.lab.api.recorder import Recorder as Recorder
    from equipoise.lab.api.results import Results as Results
    from equipoise.lab.api.results import load as load
    from equipoise.lab.api.tuning import SearchResults as SearchResults
    from equipoise.lab.api.tuning import tune as tune

_FILES = {
    "Arm": "loops",
    "GradientDiagnostics": "probing",
    "Recorder": "recorder",
    "Results": "results",
    "SearchResults": "tuning",
    "compare": "comparing",
    "judge": "judging",
    "load": "results",
    "probe": "probing",
    "tune": "tuning",
}

__all__ = [
    "Arm",
    "GradientDiagnostics",
    "Recorder",
    "Results",
    "SearchResults",
    "compare",
    "judge",
    "load",
    "probe",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"equipoise.lab.api.{_FILES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
