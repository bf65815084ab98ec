"""The caption case: shapes, one encoder for both tasks, and files in Flickr8k's layout."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from real_data import needs, trained, whole
from torch.testing import assert_close

from captioning.bleu import references
from captioning.diagnostics import lit
from captioning.flickr8k import write_scenes
from captioning.vocabulary import PADDING, Vocabulary
from captions import ReferenceLoss, flickr8k, make_case
from equipoise.lab.cases import check_case
from equipoise.lab.data.split import split_of
from equipoise.lab.diagnostics import Predictions
from equipoise.lab.training.evaluate import outputs_of
from equipoise.losses import sequence_cross_entropy
from rendered import SENTENCES, SHAPES, describe, render_scenes


@pytest.fixture(scope="module")
def case():
    return make_case(60)


def test_it_can_be_trained(case):
    check_case(case)
    assert case.tasks.names == ("class", "caption")
    assert [metrics[0].name for metrics in case.metrics.values()] == ["accuracy", "bleu-4"]


def test_labels_are_those_of_the_scenes(case):
    scenes = render_scenes(60, seed=0)
    test = [scene for number, scene in enumerate(scenes) if split_of(str(number)) == "test"]
    (pictures, numbers), targets = whole(case, "test")
    assert pictures.shape == (len(test), 3, 64, 64)
    assert (pictures.numpy() == [scene.picture for scene in test]).all()
    assert targets["class"].tolist() == [scene.objects[0].shape for scene in test]
    assert torch.equal(targets["caption"], numbers.flatten(1))
    trained_on = [scene for number, scene in enumerate(scenes) if split_of(str(number)) == "train"]
    vocabulary = Vocabulary(text for scene in trained_on for text in describe(scene))
    longest = max(len(text.split()) for scene in trained_on for text in describe(scene))
    assert references(vocabulary, longest + 1, targets["caption"]) == [
        [
            " ".join(word if word in vocabulary.words else "<rare>" for word in text.split()[:longest])
            for text in describe(scene)
        ]
        for scene in test
    ]


def test_the_hash_tells_sets_apart_and_not_calls(case):
    assert make_case(60).data_hash == case.data_hash != make_case(61).data_hash


def test_outputs_have_the_shapes_of_their_tasks_and_seeds_are_shared(case):
    inputs, targets = whole(case, "test")
    count, captions_each, longest = inputs[1].shape
    torch.manual_seed(1)
    model = case.model(case.tasks.names)
    first = copy.deepcopy(model.state_dict())  # batches move the means of the normalisation
    vocabulary_size = model.decoder.embedding.num_embeddings
    for training, steps in ((True, captions_each * longest), (False, (captions_each + 1) * longest)):
        outputs = model.train(training)(inputs)
        assert outputs["class"].shape == (count, len(SHAPES))
        assert outputs["caption"].shape == (count, steps, vocabulary_size)
        assert case.tasks.losses(outputs, targets).counts["caption"] == (targets["caption"] != PADDING).sum()
    for name in case.tasks.names:
        torch.manual_seed(1)
        alone = case.model([name])
        assert set(alone.eval()(inputs)) == {name}
        for key, value in alone.state_dict().items():
            assert torch.equal(value, first[key])


def test_what_it_says_in_evaluation_does_not_depend_on_the_references(case):
    (pictures, numbers), _ = whole(case, "test")
    model = case.model(case.tasks.names).eval()
    longest = numbers.shape[2]
    said = model((pictures, numbers))["caption"][:, -longest:]
    others = torch.randint(0, 5, numbers.shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model((pictures, others))["caption"][:, -longest:], said)
    assert (said.sum(dim=2) == 1).all()


def test_the_loss_is_of_the_references_words_whatever_the_padding():
    torch.manual_seed(0)
    logits, targets = torch.randn(3, 8, 6), torch.randint(6, (3, 5))
    loss = ReferenceLoss()
    assert_close(loss(logits, targets), sequence_cross_entropy(logits[:, :5], targets))
    padded = torch.nn.functional.pad(targets, (0, 2), value=PADDING)
    assert_close(loss(logits, padded), loss(logits, targets))


def test_its_diagnostics_say_what_was_said_and_show_where_it_looked(case):
    split = case.data["validation"]
    model = case.model(case.tasks.names)
    outputs, targets = outputs_of(model, case.tasks, [whole(case, "validation")])
    seen = Predictions(model.eval(), case.tasks, outputs, targets, split, case.collate)
    shown = {diagnostic.name: diagnostic.show(seen) for diagnostic in case.diagnostics}
    assert set(shown) == {
        "class-confusion",
        "class-classes",
        "class-worst",
        "samples",
        "caption-worst",
        "caption-attention",
        "caption-decoding",
    }
    card = shown["samples"].cards[0]
    said = next(line for line in card.lines if line.startswith("predicted: ")).removeprefix("predicted: ")
    looked = [picture.caption for picture in card.pictures]
    assert looked == ["the picture", *(f"looked at for “{word}”" for word in said.split())]
    assert sum(line.startswith("true: ") for line in card.lines) == SENTENCES
    assert [row[0] for row in shown["caption-attention"].rows] == [*SHAPES, "all"]
    greedy, *beams = shown["caption-decoding"].rows
    bleu = {metric.name: metric.compute(outputs["caption"], targets["caption"]) for metric in case.metrics["caption"]}
    assert greedy[1:5] == pytest.approx([bleu[f"bleu-{order}"] for order in (1, 2, 3, 4)])
    assert [len(row) for row in (greedy, *beams)] == [len(shown["caption-decoding"].columns)] * 3


def test_a_picture_is_lit_where_attention_is():
    picture = torch.full((3, 64, 64), 200, dtype=torch.uint8)
    weights = torch.zeros(8, 8)
    weights[2, 5] = 1.0
    shown = lit(picture, weights)
    assert shown.shape == (64, 64, 3)
    assert (shown[20, 44] > 170).all()
    assert (shown[40:, :] == 40).all()


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("PIL.Image")
    write_scenes(render_scenes(40, seed=1), tmp_path)
    return tmp_path


def test_a_folder_in_the_layout_of_flickr8k_is_the_same_case(folder):
    case = flickr8k(folder, size=32, least=2)
    check_case(case)
    assert case.tasks.names == ("class", "caption")
    inputs, targets = whole(case, "train")
    assert inputs[0].shape[1:] == (3, 32, 32)
    assert targets["class"].max() < len(SHAPES)
    assert flickr8k(folder, size=32, least=2).data_hash == case.data_hash
    (folder / "captions.txt").write_text((folder / "captions.txt").read_text() + "scene-00001.jpg,a ring\n")
    assert flickr8k(folder, size=32, least=2).data_hash != case.data_hash


def test_without_classes_it_has_the_captions_alone(folder):
    (folder / "classes.csv").unlink()
    case = flickr8k(folder, size=32)
    check_case(case)
    assert case.tasks.names == ("caption",)


def test_a_picture_without_a_class_has_no_label_there(folder):
    rows = (folder / "classes.csv").read_text().splitlines()
    (folder / "classes.csv").write_text("\n".join(rows[:31]))
    case = flickr8k(folder, size=32)
    labels = torch.cat([whole(case, split)[1]["class"] for split in case.data])
    assert (labels == PADDING).sum() == 10


def test_a_folder_that_is_not_there_says_where_the_data_comes_from(monkeypatch):
    monkeypatch.delenv("EQUIPOISE_DATA", raising=False)
    with pytest.raises(ValueError, match=r"EQUIPOISE_DATA .* holds flickr8k/; .*kaggle\.com"):
        flickr8k()


@needs("flickr8k")
def test_the_real_flickr8k_is_read():
    case = flickr8k()
    assert sum(len(split) for split in case.data.values()) > 8000


@pytest.mark.slow
def test_it_learns_the_shape_and_to_speak(tmp_path):
    case = make_case(400)
    scores = trained(case, 0, tmp_path, epochs=10)
    bleu = case.metrics["caption"][0]
    assert scores["caption", "bleu-4"] > 2 * bleu.trivial


@pytest.mark.slow
@pytest.mark.parametrize("file", ["captions", "scenes"])
def test_a_file_that_imports_its_neighbours_is_a_case_for_the_command_from_any_folder(file, tmp_path):
    path = Path(__file__).parents[2] / "examples" / "cases" / f"{file}.py"
    code = f"from equipoise.lab.studies import find_recipe; print(find_recipe('{path}:make_case')().name)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{file}\n"
