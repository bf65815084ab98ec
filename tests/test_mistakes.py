"""Every row of docs/mistakes.md: what is written there is run, and must end in the line beside it."""

import re
import shlex
import warnings
from pathlib import Path

import pytest

from equipoise.cli import main
from refused_words import refused

PAGE = (Path(__file__).parent.parent / "docs" / "mistakes.md").read_text(encoding="utf-8")
TARGETS = "--target rating:regression --target liked:binary"
TABLE = "id,age,colour,title,rating,liked,kind\n" + "".join(
    f"{n},{20 + n % 50},{('blue', 'red')[n % 2]},thing {n % 60},{1 + n % 5},{n % 2},{('top', 'dress', 'shoe')[n % 3]}\n"
    for n in range(200)
)
RESULTS = "method,seed,task,metric,value\n" + "".join(
    f"{method},{seed},a,rmse,{seed + (method == 'uw')}\n" for method in ("sum", "uw") for seed in range(3)
)
FILES = {
    "data.csv": TABLE,
    "semicolons.csv": TABLE.replace(",", ";"),
    "commas.csv": TABLE.replace(",", ";").replace(";21;", ";21,5;"),
    "no_header.csv": TABLE.partition("\n")[2],
    "one_class.csv": TABLE.replace("dress", "top").replace("shoe", "top"),
    "results.csv": RESULTS,
    "one_seed.csv": "\n".join(line for line in RESULTS.splitlines() if not re.search(",[12],a", line)),
    "wide.csv": "method,seed,a\nsum,0,.5\nuw,0,.4\n",
    "unknown.csv": RESULTS.replace("rmse", "regret"),
    "units.csv": TABLE.replace(",21,", ",$21,"),
    "na.csv": TABLE.replace(",top\n", ",NA\n"),
    "data": TABLE,
    "tab.yaml": "case: data.csv\ntarget:\n\trating: regression\n",
    "typo.yaml": "case: data.csv\ntargets:\n  rating: regression\n",
    "case.py": "def make_case():\n    return 3\n",
}


def rows_of(heading):
    """The cells of each row below a heading."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [pytest.param(*line.strip("| ").split(" | "), id=line.split("`")[1][:60]) for line in lines]


def code_of(cell):
    return cell.strip("`") if re.fullmatch("`[^`]+`", cell) else None


def setup_of(heading):
    return re.search(rf"^## {heading}\n.*?```python\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)[1]


def seen(heading, code, times=1):
    """The first line of the error, or the warning, that code ends in; of a loss's error what is noted with it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        namespace = {"__name__": "document"}
        try:
            exec(compile(setup_of(heading), "setup", "exec"), namespace)
            for _ in range(times):
                exec(compile(code, "mistake", "exec"), namespace)
        except Exception as error:
            kind = type(error).__name__
            if notes := getattr(error, "__notes__", ()):
                return f"`{kind}`, and below it `{notes[0]}`"
            return f"`{kind}: {str(error).splitlines()[0]}`"
    own = [str(one.message).splitlines()[0] for one in caught if one.category is UserWarning]
    return f"warning `{own[0]}`" if own else "nothing"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "latin.csv").write_text(TABLE.replace("blue", "blü"), encoding="latin-1")
    return tmp_path


PYTHON = ["In a training loop", "In a notebook"]


def test_the_page_lists_them():
    assert sum(len(rows_of(heading)) for heading in [*PYTHON, "On the command line"]) > 110


@pytest.mark.parametrize(
    ("heading", "mistake", "answer", "instead"),
    [pytest.param(heading, *row.values, id=row.id) for heading in PYTHON for row in rows_of(heading)],
)
def test_a_line_of_python_gets_its_answer(here, heading, mistake, answer, instead):
    times = int(steps[1]) + 2 if (steps := re.match(r"after (\d+) steps, ", answer)) else 1
    expected = answer.removeprefix(steps[0]) if steps else answer
    found = seen(heading, code_of(mistake), times if "nothing" not in answer else 60).replace(str(here), "FOLDER")
    expected = re.sub("^nothing: .*", "nothing", expected)
    one, other = "NotImplementedError", "RuntimeError"  # inherits from it, and PyTorch's releases differ in which
    assert found.replace(one, other) == expected.replace(one, other)
    if code_of(instead):
        assert seen(heading, code_of(instead)) == "nothing"


@pytest.mark.parametrize(("mistake", "answer", "instead"), rows_of("On the command line"))
def test_a_command_gets_its_line(here, capsys, mistake, answer, instead):
    words = shlex.split(code_of(mistake).replace("…", TARGETS))
    assert words[0] == "equipoise"
    line = " ".join(refused(capsys, *words[1:]).split())
    assert f"`{line.removeprefix('equipoise: ').replace(str(here), 'FOLDER')}`" == answer
    if not (command := code_of(instead) or "").startswith("equipoise "):
        return
    _, *words = shlex.split(command.replace("…", TARGETS))
    if words[0] == "compare":  # that all else is understood shows in the one error
        assert "no method 'nix'" in refused(capsys, *words, "--methods", "nix")
    else:
        assert main(words) == 0
