"""What is checked, on which PyTorch and Python: ``nox --list``, then ``nox -s tests-pinned lint types``.

A hosted run calls the same sessions (``.github/workflows/tests.yml``). An interpreter that is not there is an error.
"""

import tempfile
from pathlib import Path

import nox

nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "types", "tests-pinned", "wheel"]

LOWEST, PINNED, NEWEST = "3.10", "3.11", "3.13"  # Python
EXTRAS = ".[lab,cases,dev]"
INTEGRATIONS = {
    "accelerate": ("trainers", "test_accelerate_loop.py"),
    "fabric": ("trainers", "test_fabric_loop.py"),
    "hugging-face": ("trainers", "test_hugging_face.py"),
    "ignite": ("trainers", "test_ignite_engine.py"),
    "lightning": ("trainers", "test_lightning_trainer.py"),
}


def _suite(session: nox.Session, *paths: str) -> None:
    given = session.posargs or ["-n", "logical", "--dist", "worksteal", *paths]
    session.run("python", "-m", "pytest", *given, env={"OMP_NUM_THREADS": "1"})


@nox.session(name="tests-lowest", python=LOWEST)
def tests_lowest(session: nox.Session) -> None:
    """The default suite on the oldest version of each dependency that pyproject.toml allows."""
    session.install("uv")
    with tempfile.TemporaryDirectory() as folder:
        oldest = str(Path(folder) / "oldest.txt")
        resolve = ["uv", "pip", "compile", "pyproject.toml", "--resolution", "lowest-direct", "-q", "-o", oldest]
        session.run(*resolve, "--python-version", LOWEST, *(f"--extra={name}" for name in ("lab", "cases", "dev")))
        session.install("-r", oldest, "-e", EXTRAS)
    _suite(session)


@nox.session(name="tests-pinned", python=PINNED)
def tests_pinned(session: nox.Session) -> None:
    """The default suite on the versions of constraints.txt."""
    session.install("-c", "constraints.txt", "-e", ".[lab,cases,dev,parity,trainers]")
    _suite(session)


@nox.session(name="tests-newest", python=NEWEST)
def tests_newest(session: nox.Session) -> None:
    """The default suite on the newest releases."""
    session.install("--upgrade", "-e", EXTRAS)
    _suite(session)


@nox.session(python=PINNED)
def lint(session: nox.Session) -> None:
    """Style, format, and imports that go down only."""
    session.install("-c", "constraints.txt", "-e", ".[dev]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache", "--no-logo")


@nox.session(python=PINNED)
def types(session: nox.Session) -> None:
    """Types, strictly."""
    session.install("-c", "constraints.txt", "-e", ".[lab,dev,trainers]")
    session.run("mypy")


@nox.session(python=PINNED)
def docs(session: nox.Session) -> None:
    """What the pages say: their code runs, their links lead somewhere."""
    session.install("-c", "constraints.txt", "-e", ".[lab,cases,dev,trainers]")
    _suite(session, "tests/test_documents.py", "tests/test_examples.py")


@nox.session(python=PINNED)
def wheel(session: nox.Session) -> None:
    """A wheel that a clean environment installs: without an extra, then with the workbench."""
    session.install("build", "twine")
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "build", "--outdir", folder)
        built = sorted(map(str, Path(folder).iterdir()))
        session.run("twine", "check", "--strict", *built)
        [made] = [path for path in built if path.endswith(".whl")]
        for extra in ("", "[lab]"):
            session.install("--force-reinstall", "--no-deps", made)
            session.install("-c", "constraints.txt", f"{made}{extra}")
            session.run("equipoise", "methods", silent=True)
            session.run("equipoise", "losses", silent=True)
        session.run("equipoise", "demo", "--out", f"{folder}/demo")


@nox.session(python=PINNED)
@nox.parametrize("name", list(INTEGRATIONS), ids=list(INTEGRATIONS))
def integrations(session: nox.Session, name: str) -> None:
    """One trainer with its newest release."""
    extra, file = INTEGRATIONS[name]
    session.install("-e", f".[lab,dev,{extra}]")
    _suite(session, f"tests/trainers/{file}")
