"""A study of Optuna in a database, whose tables several workers may want to make at the same time."""

import time
from typing import Any

import optuna

TRIES = 30
PAUSE = 0.2  # seconds between two; in 6 of them another worker has long made the tables


def create_study(*, storage: str, **options: Any) -> optuna.Study:
    """``optuna.create_study`` in the database of a URL, which one worker after another may ask for.

    Raises:
        ValueError: It cannot be opened; a password in the URL is not shown.
    """
    from sqlalchemy.engine import make_url  # imported by Optuna where there is a database, and then only
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        shown = make_url(storage).render_as_string(hide_password=True)
    except ArgumentError:
        raise ValueError(f"storage must be a URL such as sqlite:///trials.db, got {storage!r}") from None
    tries = 0
    while True:
        try:
            return optuna.create_study(storage=storage, **options)
        except ImportError as error:
            raise ValueError(f"storage {shown} needs the package of its database: {error}") from error
        except SQLAlchemyError as error:
            tries += 1
            if tries == TRIES:
                why = " ".join(str(error).splitlines()[:1])
                raise ValueError(f"storage {shown} cannot be opened: {why}") from error
            time.sleep(PAUSE)
