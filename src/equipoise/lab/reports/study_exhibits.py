"""The exhibits of a study: those of one seed of each method."""

from dataclasses import dataclass
from pathlib import Path

from equipoise.lab.data.within import file_within
from equipoise.lab.evaluation import read_rows
from equipoise.lab.exhibits import Shown, read_exhibits


@dataclass(frozen=True)
class StudyExhibits:
    """What the runs of a study show.

    Args:
        of_method: By method, in the order of the study; single-task networks together.
        common: What is the same whatever the method, such as which true labels come together.
        seed: Whose runs these are.
    """

    of_method: dict[str, tuple[Shown, ...]]
    common: tuple[Shown, ...]
    seed: int

    @classmethod
    def from_folder(cls, folder: Path, methods: tuple[str, ...]) -> "StudyExhibits | None":
        """Those of the seed that most methods share, the smallest among equals; None where no run shows anything.

        Raises:
            ValueError: A run's folder lies outside the study's.
        """
        if not (folder / "exhibits.csv").is_file():
            return None
        rows = [row for row in read_rows(folder, "exhibits.csv") if row["method"] in methods]
        if not rows:
            return None
        seeds = {int(row["seed"]) for row in rows}
        seed = min(seeds, key=lambda s: (-len({row["method"] for row in rows if int(row["seed"]) == s}), s))
        found: dict[str, tuple[Shown, ...]] = {}
        for method in methods:
            of_method = [r["folder"] for r in rows if (r["method"], int(r["seed"])) == (method, seed)]
            folders = [_run_folder(folder, name) for name in of_method]
            if shown := tuple(shown for one in folders for shown in read_exhibits(one)):
                found[method] = shown
        common = _common(found)
        names = {shown.name for shown in common}
        kept = {method: tuple(one for one in shown if one.name not in names) for method, shown in found.items()}
        return cls(kept, common, seed)


def _run_folder(folder: Path, name: str) -> Path:
    try:
        return file_within(folder, name)
    except ValueError as error:
        raise ValueError(f"{folder / 'exhibits.csv'}: {error}") from None


def _common(found: dict[str, tuple[Shown, ...]]) -> tuple[Shown, ...]:
    by_name: dict[str, list[Shown]] = {}
    for shown in found.values():
        for one in shown:
            by_name.setdefault(one.name, []).append(one)
    return tuple(ones[0] for ones in by_name.values() if len(ones) > 1 and all(one == ones[0] for one in ones))
