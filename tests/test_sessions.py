"""Hosted runs call the sessions of noxfile.py, and .ci/run asks for sessions and tests that are there."""

import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parents[1]


def sessions(monkeypatch):
    """The names that noxfile.py gives to nox, but for those that others require."""
    names, required = [], set()

    def session(run=None, *, python=None, name=None, requires=()):
        def note(function):
            own = name or function.__name__
            names.extend([f"{own}-{one}" for one in python] if isinstance(python, list) else [own])
            required.update(requires)

        return note if run is None else note(run)

    nox = SimpleNamespace(options=SimpleNamespace(), session=session, Session=None)
    monkeypatch.setitem(sys.modules, "nox", nox)
    runpy.run_path(str(ROOT / "noxfile.py"))
    return set(names) - required


def test_hosted_runs_call_every_session(monkeypatch):
    called = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"session: ([\w.-]+)", called)) == sessions(monkeypatch)


def test_the_sample_on_other_versions_is_there(monkeypatch):
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (others,), (sample,) = re.findall(r'^OTHERS="(.+)"$', script, re.M), re.findall(r'^SAMPLE="(.+)"$', script, re.M)
    assert set(others.split()) <= sessions(monkeypatch)
    assert all((ROOT / path).is_file() for path in sample.split())
