"""What a command of the workbench needs and shows."""

from pathlib import Path
from typing import Any, NoReturn

from equipoise.cli.parser import fail


def need_the_lab() -> None:
    """Leave, saying how to install it, where the workbench is missing."""
    try:
        import optuna  # noqa: F401

        import equipoise.lab.reports
        import equipoise.lab.studies  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("equipoise"):
            raise
        fail(f'{error.name} is missing; this command needs the workbench: pip install "equipoise[lab]"')


def stopped_by(error: OSError, folder: Path, kept: str) -> NoReturn:
    """Leave, saying which file the system refused, why, and what is kept."""
    what = error.strerror or str(error)
    file = error.filename or folder
    fail(f"{file}: {what}; {kept} kept in {folder}, and the same command resumes once this is put right")


def show(console: Any, folder: Path, *, renew: bool, verbose: bool = False) -> int:
    """Print a study's verdict and table and write its report, or only name a report that is newer than the study."""
    from rich.markup import escape

    from equipoise.lab.evaluation import StudyResults, Summary
    from equipoise.lab.reports import print_summary, write_report
    from equipoise.lab.studies import record_look, write_scores

    page = folder / "report.html"
    study = StudyResults.from_folder(folder).looked_at()
    summary = Summary.of_study(study)
    print_summary(console, summary, verbose=verbose)
    try:
        record_look(study)
    except OSError as error:
        fail(f"this look could not be recorded, nor a report written: {error.filename}: {error.strerror}")
    write_scores(folder, summary)
    sources = [path for path in folder.iterdir() if path.suffix in (".csv", ".json")]
    if renew or not page.is_file() or page.stat().st_mtime_ns < max(path.stat().st_mtime_ns for path in sources):
        with console.status("Writing the report") as status:
            page = write_report(study, summary, lambda what: status.update(f"Writing the report: {escape(what)}"))
    console.print(f"\nReport: {page}", markup=False, soft_wrap=True)
    return 0
