"""Many columns by a pattern."""

import pytest

from equipoise.lab.cases import TableCase, Target
from equipoise.lab.data.columns import expand_inputs, join_columns, split_columns

HEADER = ["id", "name", "fp1", "fp2", "fp10", "a[mg]", "a_1", "a_2", "all-but:x"]
TARGETS = ["a_1", "a_2"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["fp*"], ["fp1", "fp2", "fp10"]),
        (["fp?"], ["fp1", "fp2"]),
        (["*"], ["id", "name", "fp1", "fp2", "fp10", "a[mg]", "all-but:x"]),  # no target
        (["a[*"], ["a[mg]"]),
        (["*", "fp2", "id"], ["name", "fp1", "fp10", "a[mg]", "all-but:x", "fp2", "id"]),  # once each
        (["all-but:id,name,fp*"], ["a[mg]", "all-but:x"]),
        (["all-but:x"], ["all-but:x"]),  # the column of that name
        (["a_1"], ["a_1"]),  # a target by its full name: refused where the case is made
    ],
)
def test_patterns_mean_columns_in_the_files_order(names, found):
    assert expand_inputs({"number": names}, HEADER, "a.csv", TARGETS) == {"number": tuple(found)}


def test_a_pattern_leaves_what_another_kind_names_in_full():
    found = expand_inputs({"text": ["name"], "number": ["all-but:id,fp*"]}, HEADER, "a.csv", [*TARGETS, "a[mg]"])
    assert found == {"text": ("name",), "number": ("all-but:x",)}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fq*", "a.csv has no column 'fq\\*'; there are 'id', "),
        ("nme", "did you mean 'name'"),
        ("all-but:nme", "a.csv has no column 'nme'; did you mean 'name'"),
        ("a_*", "'a_\\*' matches only columns that are targets or named elsewhere"),
    ],
)
def test_what_matches_nothing_is_an_error(name, message):
    with pytest.raises(ValueError, match=message):
        expand_inputs({"number": [name]}, HEADER, "a.csv", TARGETS)


def test_names_come_back_from_their_list():
    names = ["a", "price, net", 'the "best"']
    assert split_columns(join_columns(names)) == names


def test_a_case_holds_the_columns_that_its_patterns_mean(tmp_path):
    (tmp_path / "a.csv").write_text("id,fp1,fp2,b_1,b_2,user\n1,0,1,0,1,u\n")
    case = TableCase(str(tmp_path / "a.csv"), (Target.parse("b_*:binary"),), number=("all-but:id",), group="user")
    assert case.targets == (Target("b_1", "binary"), Target("b_2", "binary"))
    assert case.number == ("fp1", "fp2")
    with pytest.raises(ValueError, match=r"a\.csv has no column 'c_\*'"):
        TableCase(case.path, (Target.parse("c_*:binary"),), number=("fp1",))
