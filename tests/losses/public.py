"""The public names of the losses, as the files that define them list them."""

import pkgutil
from importlib import import_module

from equipoise import losses

FAMILIES = [
    import_module(f"{losses.__name__}.{found.name}")
    for found in pkgutil.iter_modules(losses.__path__)
    if found.name != "catalog"  # imports the losses
]
PUBLIC = {name: vars(family)[name] for family in FAMILIES for name in getattr(family, "__all__", ())}
