import pytest
import torch
from real_data import needs, trained, whole
from torch import nn
from torch.testing import assert_close

from equipoise.lab.cases import CASES, goemotions, with_losses
from equipoise.lab.cases.goemotions import FILES, GROUPS, read_comments, read_labels
from equipoise.lab.cases.metrics import tuned_f1
from equipoise.lab.data import sentences
from equipoise.lab.data.sentences import encoder_files
from equipoise.lab.training.evaluate import calibrated, evaluate
from equipoise.task import Task
from equipoise.tasks import Tasks

LABELS = sorted(name for group in GROUPS.values() for name in group)


def write(folder, **files):
    """The layout with every label once in each split, but for the files given."""
    plain = "".join(f"word{number} happy\t{number}\tid{number}\n" for number in range(28))
    texts = {"labels.txt": "\n".join(LABELS)} | dict.fromkeys(FILES.values(), plain)
    for name, text in (texts | {f"{key}.tsv": text for key, text in files.items()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_comments_are_those_of_the_file(tmp_path):
    write(tmp_path, dev="so\u2028glad\t3,0\ta\n\t27\tb\n")
    comments = read_comments(tmp_path / "dev.tsv", 28)
    assert comments.texts == ["so\u2028glad", ""]
    assert comments.labels.nonzero().tolist() == [[0, 0], [0, 3], [1, 27]]
    assert read_labels(tmp_path) == LABELS


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("glad\t3", "line 2: must have 3 cells with tabs between them, got 2"),
        ("glad\t28\ta", "line 2, cell 2: must be numbers below 28 .*, got '28'"),
        ("glad\t\ta", "line 2, cell 2: .*, got ''"),
        ("glad\t-1\ta", "line 2, cell 2: .*, got '-1'"),
        ("glad\tjoy\ta", "line 2, cell 2: .*, got 'joy'"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, message):
    write(tmp_path, train=f"ok\t1\ta\n{line}\n")
    with pytest.raises(ValueError, match=rf"train\.tsv, {message}"):
        goemotions(tmp_path)


def test_a_file_without_comments_is_named(tmp_path):
    write(tmp_path, dev="")
    with pytest.raises(ValueError, match=r"dev\.tsv has no comments; .*google-research"):
        goemotions(tmp_path)


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(ValueError, match=r"no data for 'goemotions'.*google-research"):
        goemotions(tmp_path / "none")
    write(tmp_path)
    (tmp_path / "labels.txt").write_text("\n".join([*LABELS[1:], "hunger"]))
    with pytest.raises(ValueError, match=r"labels\.txt must name the 28 labels .*'admiration', 'hunger'"):
        goemotions(tmp_path)
    (tmp_path / "labels.txt").unlink()
    with pytest.raises(ValueError, match=r"labels\.txt is missing; .*google-research"):
        goemotions(tmp_path)


def test_sentences_are_the_encoders_vectors_of_the_same_comments(tmp_path, monkeypatch):
    """Of an encoder that says how long a text is."""
    encoder = tmp_path / "data" / "sentence-encoder"
    encoder.mkdir(parents=True)
    for file in encoder_files(encoder):
        file.write_text("x")
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sentences, "_encode", lambda texts, folder: torch.tensor([[float(len(t)), 1] for t in texts]))
    write(tmp_path)
    words, vectors = (goemotions(tmp_path, groups=True, inputs=inputs) for inputs in ("words", "sentences"))
    assert (vectors.name, words.name) == ("goemotions-groups-sentences", "goemotions-groups")
    assert vectors.name in CASES
    rows, targets = whole(vectors, "validation")
    assert rows.tolist() == [[len(f"word{number} happy"), 1] for number in range(28)]
    for task, target in whole(words, "validation")[1].items():
        assert torch.equal(targets[task], target)
    outputs = vectors.model(vectors.tasks.names)(rows)
    assert {task: output.shape for task, output in outputs.items()} == {
        t: target.shape for t, target in targets.items()
    }
    assert vectors.data_hash != words.data_hash
    with pytest.raises(ValueError, match="no inputs 'sentence'; did you mean 'sentences'"):
        goemotions(tmp_path, inputs="sentence")


def test_every_label_is_in_the_task_of_its_sentiment(tmp_path):
    write(tmp_path)
    one, four = goemotions(tmp_path), goemotions(tmp_path, groups=True)
    labels = whole(one, "test")[1]["emotions"]
    for group, names in GROUPS.items():
        assert torch.equal(whole(four, "test")[1][group], labels[:, [LABELS.index(name) for name in names]])
    assert sum(map(len, GROUPS.values())) == len(set(LABELS)) == 28


def test_words_of_the_training_split_alone_are_known(tmp_path):
    write(tmp_path, test="happy stranger\t1\ta\nstranger\t2\tb\n")
    (words, starts), _ = whole(goemotions(tmp_path), "test")
    assert starts.tolist() == [0, 1]
    assert len(words) == 1
    case = goemotions(tmp_path)
    assert case.model(["emotions"])((words, starts))["emotions"].shape == (2, 28)


def test_losses_are_what_they_are_called(tmp_path):
    write(tmp_path, train="a\t0,1\tx\nb\t1\ty\nc\t1\tz\n" + "".join(f"d\t{n}\tw\n" for n in range(2, 28)))
    logits, targets = torch.randn(29, 28), whole(goemotions(tmp_path), "train")[1]["emotions"]
    case = goemotions(tmp_path)
    losses = {
        name: with_losses(case, {"emotions": name}).tasks["emotions"].loss(logits, targets)
        for name in case.losses["emotions"]
    }
    bce = nn.functional.binary_cross_entropy_with_logits
    assert_close(losses["bce"], bce(logits, targets))
    weights = torch.full((28,), 28.0)  # 28 without for 1 with
    weights[1] = 26 / 3
    assert_close(losses["weighted-bce"], bce(logits, targets, pos_weight=weights))
    chances = logits.sigmoid()
    f1 = 2 * (chances * targets).sum(0) / (chances + targets).sum(0)
    assert_close(losses["soft-f1"], 0.5 * losses["bce"] + 0.5 * (1 - f1).mean())
    some = with_losses(case, {"emotions": "soft-f1:proportion=0.1"})
    assert_close(some.tasks["emotions"].loss(logits, targets), 0.9 * losses["bce"] + 0.1 * (1 - f1).mean())
    miss = torch.where(targets == 1, 1 - chances, chances)
    assert_close(losses["focal"], -(miss**2 * (1 - miss).log()).mean())
    negative = (chances - 0.05).clamp(min=0)
    expected = torch.where(targets == 1, -chances.log(), -(negative**4) * (1 - negative).log())
    assert_close(losses["asymmetric"], expected.mean())


def test_every_name_makes_the_case_of_that_name(tmp_path, monkeypatch):
    write(tmp_path)
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path.parent))
    tmp_path.rename(tmp_path.parent / "goemotions")
    names = [name for name in CASES if name.startswith("goemotions") and "sentences" not in name]
    assert names == ["goemotions", "goemotions-groups"]
    assert [CASES[name]().name for name in names] == names


class Scores(nn.Module):
    def forward(self, inputs):
        return {"a": inputs}


@pytest.mark.parametrize("width", [1, 2])
def test_test_is_judged_by_the_thresholds_of_validation(width):
    labels = torch.tensor([[1.0], [0.0], [1.0], [0.0]]).expand(4, width)
    validation = torch.tensor([[5.0], [4.0], [4.5], [1.0]]).expand(4, width)  # best at 4.25: F1 = 1
    test = validation - 4.0  # all below it
    names = ("f1",) if width == 1 else ("f1-macro", "f1-micro", "f1-weighted")
    metrics, tasks = {"a": tuned_f1(labels)}, Tasks([Task("a", nn.BCEWithLogitsLoss())])
    batch, other = (validation, {"a": labels}), (test, {"a": labels})
    kept = calibrated(Scores(), tasks, metrics, [batch])
    assert tuple(metric.name for metric in kept["a"]) == names
    for name in names:
        assert evaluate(Scores(), tasks, metrics, [other])["a"][name] == 1.0
        assert evaluate(Scores(), tasks, kept, [batch])["a"][name] == 1.0
        assert evaluate(Scores(), tasks, kept, [other])["a"][name] == 0.0
    # a constant says the label always: F1 = 2 · 2 / (4 + 2)
    assert metrics["a"][0].trivial == pytest.approx(2 / 3)


@needs("goemotions")
@pytest.mark.slow
def test_on_the_real_comments_it_is_sane(tmp_path):
    case = CASES["goemotions"]()
    assert {name: len(split) for name, split in case.data.items()} == {
        "train": 43_410,
        "validation": 5_426,
        "test": 5_427,
    }
    assert trained(case, 0, tmp_path, epochs=4)["emotions", "f1-macro"] > 0.30
