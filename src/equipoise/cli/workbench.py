"""What a command of the workbench needs and shows."""

from typing import TYPE_CHECKING, Any, NoReturn

from equipoise.cli.parser import fail

if TYPE_CHECKING:
    from equipoise.lab.evaluation import StudyResults

FAILED = 1  # exit status


def need_the_lab() -> None:
    """Leave, saying how to install it, where the workbench is missing; it is not imported."""
    try:
        from equipoise.lab import extra  # noqa: F401
    except ModuleNotFoundError as error:
        fail(str(error))


def stopped_by(error: OSError, what: Any) -> NoReturn:
    """Leave, saying which file the system refused, why, and what is kept, as the error's notes have it."""
    kept = "; ".join(getattr(error, "__notes__", ()))
    resumes = f"; {kept}, and the same command resumes once this is fixed" if kept else ""
    fail(f"{error.filename or what}: {error.strerror or error}{resumes}")


def show(console: Any, study: "StudyResults", *, renew: bool, verbose: bool = False) -> int:
    """Print a study's verdict and table and write its report, or only name a report that is newer than the study."""
    from rich.markup import escape

    from equipoise.lab.evaluation import Summary
    from equipoise.lab.reports import print_summary, write_report
    from equipoise.lab.studies import record_look, write_scores

    folder, page = study.folder, study.folder / "report.html"
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
