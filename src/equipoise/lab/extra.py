"""The extra ``lab``, which the workbench needs: importing this file says what of it is not installed.

A package of the workbench imports it before all else, so that the error is this line and not one about a dependency.
"""

from importlib.util import find_spec

PACKAGES = ("accelerate", "jinja2", "matplotlib", "optuna", "plotly", "rich", "scipy", "torchmetrics", "yaml")

for _package in PACKAGES:
    if find_spec(_package) is None:
        _line = f'{_package} is missing; the workbench, equipoise.lab, needs it: pip install "equipoise[lab]"'
        raise ModuleNotFoundError(_line, name=_package)
