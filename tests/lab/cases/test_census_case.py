import gzip

import pytest
import torch
from real_data import needs, trained, whole
from torch.testing import assert_close

from equipoise.lab.cases import CASES, census
from equipoise.lab.cases.census import CATEGORIES, NUMBERS, read_census

COLUMNS = (*NUMBERS, *CATEGORIES, "instance_weight", "income_50k", "is_test")
PLAIN = dict.fromkeys(NUMBERS, "0") | dict.fromkeys(CATEGORIES, "?") | {"instance_weight": "1.5"}


def write(folder, rows):
    lines = [",".join(COLUMNS), *(",".join({**PLAIN, **row}[name] for name in COLUMNS) for row in rows), ""]
    path = folder / "census_income_kdd.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def person(income="- 50000.", is_test="0", **answers):
    return {"income_50k": income, "is_test": is_test, **answers}


def small(folder, tests=40, **options):
    rows = [
        person(age="20", sex="Female", wage_per_hour="0", marital_stat="Never married"),
        person("50000+.", age="40", sex="Male", wage_per_hour="99", education="Doctorate degree(PhD EdD)"),
        *(person(("- 50000.", "50000+.")[i % 2], "1", age=str(i), sex="Unknown") for i in range(tests)),
    ]
    write(folder, rows)
    return census(folder, **options)


def test_targets_are_those_of_the_file(tmp_path):
    people = read_census(
        write(
            tmp_path,
            [
                person("50000+.", education="Masters degree(MA MS MEng MEd MSW MBA)"),
                person(marital_stat="Never married", education="Some college but no degree", is_test="1"),
            ],
        )
    )
    assert {name: target.tolist() for name, target in people.targets.items()} == {
        "income": [1.0, 0.0],
        "never_married": [0.0, 1.0],
        "college": [1.0, 0.0],
    }
    assert people.is_test.tolist() == [False, True]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"income_50k": "rich"}, "row 3, column 'income_50k': 'rich' is none of - 50000., 50000\\+."),
        ({"age": "old"}, "row 3, column 'age': 'old' is no number"),
        ({"age": ""}, "row 3, column 'age': '' is no number"),
        ({"is_test": "yes"}, "row 3, column 'is_test': 'yes' is none of 0, 1"),
    ],
)
def test_a_wrong_answer_is_named(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        read_census(write(tmp_path, [person(), person() | wrong]))


def test_training_is_official_and_the_official_test_rows_are_halved(tmp_path):
    case = small(tmp_path)
    ages = {name: whole(case, name)[0][1][:, 0] for name in case.data}
    assert len(ages["train"]) == 2
    assert len(ages["validation"]) + len(ages["test"]) == 40
    assert min(len(ages["validation"]), len(ages["test"])) > 10
    # ages 20 and 40 in training become -1 and 1, so age a becomes (a - 30) / 10: nobody is lost or in both halves
    both = torch.cat([ages["validation"], ages["test"]]).sort().values
    assert_close(both, (torch.arange(40.0) - 30) / 10)


def test_numbers_and_categories_are_fitted_on_training_alone(tmp_path):
    case = small(tmp_path)
    categories, numbers = whole(case, "train")[0]
    assert_close(numbers[:, :2], torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
    sex = list(CATEGORIES).index("sex") - 1  # marital_stat, before it, is no input
    assert sorted(categories[:, sex].tolist()) == [1, 2]
    assert (whole(case, "test")[0][0][:, sex] == 0).all()  # nobody in training said Unknown


def test_what_a_target_is_made_of_is_no_input(tmp_path):
    two, three = small(tmp_path), small(tmp_path, college=True)
    assert two.tasks.names == ("income", "never_married")
    assert three.tasks.names == ("income", "never_married", "college")
    assert whole(two, "train")[0][0].shape[1] == len(CATEGORIES) - 1
    assert whole(three, "train")[0][0].shape[1] == len(CATEGORIES) - 3
    assert (two.name, three.name) == ("census", "census-college")


@needs("census")
@pytest.mark.slow
def test_on_the_real_table_it_is_as_good_as_seen(tmp_path):
    case = CASES["census"]()
    assert len(case.data["train"]) == 199_523
    assert len(case.data["validation"]) + len(case.data["test"]) == 99_762
    scores = trained(case, 0, tmp_path, epochs=2)
    assert scores["income", "auroc"] > 0.933
    assert scores["never_married", "auroc"] > 0.990
