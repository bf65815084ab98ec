"""What is checked, on which Python and PyTorch: ``nox --list``, then ``nox -s tests-pinned lint types``.

``pip install "nox[uv]"`` brings it. Hosted runs call the same sessions (``.github/workflows``). After ``--`` stand
arguments of pytest: ``nox -s tests-lowest -- tests/test_balancer.py``. An interpreter that is not there is an error.
"""

import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "types", "tests-pinned", "wheel-3.11"]

LOWEST, PINNED, NEWEST = "3.10", "3.11", "3.13"  # Python
EXTRAS = ".[lab,cases,baselines,trainers,dev]"
PINS = ("-c", "constraints.txt")
INTEGRATIONS = {
    "accelerate": "test_accelerate_loop.py",
    "fabric": "test_fabric_loop.py",
    "hugging-face": "test_hugging_face.py",
    "ignite": "test_ignite_engine.py",
    "lightning": "test_lightning_trainer.py",
}
OWN_EXTRAS = {  # each has an extra of its name
    "deepxde": "test_deepxde_model.py",
    "pina": "test_pina_weighting.py",
    "sentence-transformers": "test_sentence_transformers.py",
}


def run_tests(session: nox.Session, *default: str) -> None:
    """Name the versions, then run what stands after ``--``, else the default suite."""
    versions = "import platform, torch, numpy; print(platform.python_version(), torch.__version__, numpy.__version__)"
    session.run("python", "-c", versions)
    given = session.posargs or ["-n", "logical", "--dist", "worksteal", *default]
    session.run("python", "-m", "pytest", *given, env={"OMP_NUM_THREADS": "1"})


@nox.session(name="tests-lowest", python=LOWEST)
def tests_lowest(session: nox.Session) -> None:
    """The default suite on the lowest version of each dependency that pyproject.toml allows."""
    session.install("-c", "constraints-lowest.txt", "-e", EXTRAS)
    run_tests(session)


@nox.session(name="tests-pinned", python=PINNED)
def tests_pinned(session: nox.Session) -> None:
    """The default suite on the versions of constraints.txt."""
    session.install(*PINS, "-e", ".[lab,cases,dev,docs,parity,trainers]")
    run_tests(session)


@nox.session(name="tests-newest", python=NEWEST)
def tests_newest(session: nox.Session) -> None:
    """The default suite on the newest releases."""
    session.install("--upgrade", "-e", EXTRAS)
    run_tests(session)


@nox.session(python=PINNED)
def lint(session: nox.Session) -> None:
    """Style, format, and imports that go down only."""
    session.install(*PINS, "ruff", "import-linter")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache", "--no-logo", env={"PYTHONPATH": "src"})


@nox.session(python=PINNED)
def types(session: nox.Session) -> None:
    """Types, strictly; a user's script and pages of the docs by mypy and pyright."""
    session.install(*PINS, "-e", ".[lab,dev,trainers]", "pyright[nodejs]")
    session.run("mypy")
    session.run("pytest", "tests/typing", "-m", "slow or not slow")


@nox.session(python=PINNED)
def docs(session: nox.Session) -> None:
    """The site, in docs/_build/html; what its pages say: their code runs, their links lead somewhere."""
    session.install(*PINS, "-e", ".[lab,cases,baselines,dev,docs,trainers]")
    session.run("python", "-m", "sphinx", "-M", "html", ".", "docs/_build", "-c", "docs", "-W", "--keep-going", "-n")
    run_tests(session, "tests/test_documents.py", "tests/test_words.py")
    session.run("python", "-m", "pytest", "tests/test_site.py", "-m", "slow or not slow")


@nox.session
def dist(session: nox.Session) -> None:
    """The wheel and the source distribution, in dist/, as an index takes them."""
    session.install("build", "twine")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", "--installer", "uv" if session.venv_backend == "uv" else "pip")
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))


@nox.session(python=[LOWEST, PINNED, NEWEST], requires=["dist"])
def wheel(session: nox.Session) -> None:
    """What a user does first with the wheel, without extras and with the workbench; after -- words for the demo."""
    pins = {LOWEST: ("-c", "constraints-lowest.txt"), PINNED: PINS, NEWEST: ("--upgrade",)}[str(session.python)]
    (made,) = Path("dist").glob("*.whl")
    for extra in ("", "[lab]"):
        session.install(*pins, f"{made}{extra}")
        session.run("python", ".ci/installed.py", *session.posargs)


def integration(name: str, file: str, extra: str = "trainers", *words: str) -> None:
    """The session of one trainer."""

    @nox.session(name=f"integrations-{name}", python=PINNED)
    def run(session: nox.Session) -> None:
        """A trainer's newest release."""
        session.install("--upgrade", "-e", f".[lab,dev,{extra}]")
        run_tests(session, f"tests/trainers/{file}", *words)


for name, file in INTEGRATIONS.items():
    integration(name, file)
for name, file in OWN_EXTRAS.items():
    integration(name, file, name, "-m", "slow")
