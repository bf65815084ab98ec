"""What an index shows: one version number everywhere, links that lead somewhere, a recipe that asks for the same."""

import re
import runpy
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml

import equipoise

ROOT = Path(__file__).parents[1]
FILES = ("src/equipoise/__init__.py", "CHANGELOG.md", "recipe/recipe.yaml", "pyproject.toml", ".ci/release.py")
TAG = f"v{equipoise.__version__}"


def problems_in(root, *arguments):
    return runpy.run_path(str(root / ".ci" / "release.py"))["problems"](*arguments)


def test_version_changelog_and_recipe_agree():
    assert [line for line in problems_in(ROOT, TAG) if "Unreleased" not in line] == []


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        ("src/equipoise/__init__.py", equipoise.__version__, "9.9.9", f"the tag is {TAG}, the version 9.9.9"),
        ("CHANGELOG.md", rf"\[{re.escape(equipoise.__version__)}\] - ", "[9.9.9] - ", r"begins with '\[9.9.9\]"),
        ("CHANGELOG.md", r"(\[[^U]+\]) - \d{4}", r"\1 - soon", "YEAR-MONTH-DAY"),
        ("CHANGELOG.md", r"## \[Unreleased\]\n", "## [Unreleased]\n\n- One more.\n", "has lines under Unreleased"),
        ("recipe/recipe.yaml", 'version: ".+"', 'version: "9.9.9"', "recipe.yaml is of another version"),
        ("pyproject.toml", 'repository = ".*"', 'repository = "https://host/other"', "write 'https://host/ours'"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(tmp_path, name, old, new, problem):
    for file in FILES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    text, count = re.subn(old, new, (tmp_path / name).read_text(encoding="utf-8"), count=1)
    assert count == 1
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert any(re.search(problem, line) for line in problems_in(tmp_path, TAG, "https://host/ours"))


@pytest.fixture
def described(monkeypatch):
    """What the build writes into the distribution, with the repository at an address."""
    hatchling = ModuleType("hatchling.metadata.plugin.interface")  # which only the build's own environment has
    hatchling.MetadataHookInterface = object
    monkeypatch.setitem(sys.modules, hatchling.__name__, hatchling)
    update = runpy.run_path(str(ROOT / "hatch_build.py"))["Links"].update

    def describe(repository):
        metadata = {"version": "1.2"}
        update(SimpleNamespace(root=str(ROOT), config={"repository": repository}), metadata)
        return metadata

    return describe


LINK = re.compile(r"\]\((?!#)([^)]+)\)")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_links_of_the_long_description_lead_to_the_repository(described):
    made = described("https://host/us/equipoise/")
    targets = LINK.findall(made["readme"]["text"])
    assert len(targets) == len(LINK.findall(README)) > 30
    assert all(target.startswith("https://") for target in targets)
    assert "https://host/us/equipoise/blob/v1.2/docs/choose.md#before-you-adopt-a-method" in targets
    assert "https://host/us/equipoise/raw/v1.2/docs/demo.png" in targets
    assert made["urls"]["Changelog"] == "https://host/us/equipoise/blob/v1.2/CHANGELOG.md"


def test_without_a_repository_no_link_leads_nowhere(described):
    made = described("")
    assert not [target for target in LINK.findall(made["readme"]["text"]) if not target.startswith("https://")]
    assert "sentence-transformers" in made["readme"]["text"]
    assert made["urls"] == {}


CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}  # names of other packages there


def conda_names(block):
    found = re.findall(r'"([\w-]+)([^"]*)"', block)
    return {f"{CONDA.get(name, name)} {versions}" for name, versions in found}


def test_the_recipe_asks_for_what_pyproject_asks_for():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    outputs = yaml.safe_load((ROOT / "recipe" / "recipe.yaml").read_text(encoding="utf-8"))["outputs"]
    core, lab = ({*one["requirements"]["run"]} for one in outputs)
    (dependencies,) = re.findall(r"^dependencies = \[(.*)\]", text, re.MULTILINE)
    (extra,) = re.findall(r"^lab = \[(.+?)^\]", text, re.MULTILINE | re.DOTALL)
    (python,) = re.findall(r'^requires-python = "(.+)"', text, re.MULTILINE)
    assert core == {f"python {python}", *conda_names(dependencies)}
    assert lab == {"${{ pin_subpackage('equipoise', exact=True) }}", *conda_names(extra)}
