"""A study.yaml with ``equipoise tune`` and ``equipoise probe``: the same case, data and training as in the study."""

import pytest

from asked_plan import first_call
from equipoise import cli
from equipoise.lab.cases import TableCase, Target

FILE = """\
case: shop.csv
target:
  rating: regression
  liked: binary
number: [age]
loss: {rating: huber}
methods: [sum, uw]
seeds: 3
epochs: 2
schedule: cosine
jobs: 1
out: the-study
"""
TARGETS = (Target("rating", "regression"), Target("liked", "binary"))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with a small table and a study's file."""
    rows = (f"{20 + i % 30},{1 + i % 5},{['no', 'yes'][i % 2]},,,,\n" for i in range(80))
    (tmp_path / "shop.csv").write_text("age,rating,liked,photo,clip,a,b\n" + "".join(rows))
    (tmp_path / "study.yaml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(monkeypatch, place, *words):
    """What a function of the workbench is asked for by a command."""
    calls = []

    def note(*arguments, **named):
        calls.append((arguments, named))
        raise ValueError("enough")

    monkeypatch.setattr(place, note)
    with pytest.raises(SystemExit):
        cli.main(words)
    return calls[0]


def test_tune_takes_the_case_and_how_it_is_trained(monkeypatch, capsys):
    place = "equipoise.lab.api.tuning.make_tuning"
    (recipe, *_, folder), options = asked(monkeypatch, place, "tune", "--config", "study.yaml", "--trials", "4")
    assert recipe.recipe == TableCase("shop.csv", TARGETS, number=("age",))
    assert dict(recipe.losses) == {"rating": "huber"}
    assert (options["epochs"], options["schedule"], options["jobs"]) == (2, "cosine", 1)
    assert str(folder) == "equipoise-runs/shop-rating-huber-tune"
    assert capsys.readouterr().out == "study.yaml: not used by equipoise tune: methods, seeds, out\n"
    (_, *_, folder), options = asked(
        monkeypatch, place, "tune", "--config=study.yaml", "--epochs=5", "--schedule", "step", "--out", "mine"
    )
    assert (options["epochs"], options["schedule"], str(folder)) == (5, "step", "mine")


def test_files_that_a_table_names_are_options_too(monkeypatch):
    columns = ["--number", "age", "--image", "photo", "--audio=clip", "--smiles", "a,b", "--vectors", "v.npy"]
    words = ["shop.csv", "--target", "rating:regression", *columns, "--image-size", "32", "--seconds", "1.5"]
    (recipe, *_), _ = first_call(monkeypatch, ["compare", *words])
    given = {"image": ("photo",), "audio": ("clip",), "smiles": ("a", "b"), "vectors": ("v.npy",)}
    assert recipe == TableCase("shop.csv", TARGETS[:1], number=("age",), **given, image_size=32, seconds=1.5)


def test_probe_takes_the_case(monkeypatch, capsys):
    (case,), _ = asked(monkeypatch, "equipoise.lab.api.probing.measure", "probe", "--config", "study.yaml")
    assert case.tasks.names == ("rating", "liked")
    assert type(case.tasks["rating"].loss).__name__ == "HuberLoss"
    left = "methods, seeds, epochs, schedule, jobs, out"
    assert capsys.readouterr().out == f"study.yaml: not used by equipoise probe: {left}\n"


def test_compare_takes_it_all_and_says_nothing(monkeypatch, capsys):
    (_, methods, seeds), options = first_call(monkeypatch, ["compare", "--config", "study.yaml"])
    assert (methods, seeds, options["epochs"]) == (("sum", "uw"), (0, 1, 2), 2)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("command", ["tune", "probe"])
@pytest.mark.parametrize(
    ("line", "words", "message"),
    [
        ("epoch: 3", [], "study.yaml: unknown key 'epoch'; did you mean 'epochs'"),
        ("trials: 3", [], "study.yaml: unknown key 'trials'"),
        ("tuned-trials: many", [], "study.yaml: argument --tuned-trials: a whole number of at least 0, got 'many'"),
        ("", ["--config", "other.yaml"], "other.yaml cannot be read"),
        (None, [], "name a CASE, or a --config with a case"),
    ],
)
def test_what_is_wrong_is_one_line(command, line, words, message, here, capsys):
    if line is None:
        (here / "study.yaml").write_text("epochs: 3\n")
    else:
        (here / "study.yaml").write_text(f"{FILE}{line}\n")
    with pytest.raises(SystemExit) as left:
        cli.main([command, *(words or ["--config", "study.yaml"])])
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("line", "sklearn"), [("no-sklearn: true", False), ("no-sklearn: false", True), ("", True)])
def test_an_option_that_turns_off_can_be_in_the_file(monkeypatch, here, line, sklearn):
    (here / "study.yaml").write_text(f"{FILE}{line}\n")
    _, named = asked(monkeypatch, "equipoise.lab.api.comparing.compare", "compare", "--config", "study.yaml")
    assert named["sklearn"] is sklearn


@pytest.mark.parametrize("how", ["--drop-unusable", "drop-unusable: true\n"])
def test_targets_left_out_are_printed_with_their_reason(monkeypatch, capsys, here, how):
    (here / "study.yaml").write_text(
        FILE.replace("liked: binary", "liked: binary\n  liked2: binary") + (how if " " in how else "")
    )
    (here / "shop.csv").write_text((here / "shop.csv").read_text().replace("\n", ",1\n").replace("b,1", "b,liked2"))
    words = ["compare", "--config", "study.yaml", *([] if " " in how else [how])]
    (case, *_), _ = asked(monkeypatch, "equipoise.lab.api.comparing.compare", *words)
    assert case.recipe == TableCase("shop.csv", TARGETS, number=("age",))
    line = "Target 'liked2' is left out: column 'liked2' of shop.csv is always '1': there is nothing to learn\n"
    assert capsys.readouterr().out == line
