"""Census-Income (KDD): what the US census of 1994 and 1995 asked 299,285 people.

UCI Machine Learning Repository, CC BY 4.0. A csv file with a header; in column ``is_test`` 1 marks the rows of the
official test file. ``instance_weight`` says how many people a row stands for: it is no feature, and not used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from equipoise.lab.data.columns import Column, read_columns
from equipoise.lab.data.folder import data_folder

SOURCE = "census_income_kdd.csv.gz is the UCI repository's Census-Income (KDD) with a header and a column is_test"
DOLLARS = ("wage_per_hour", "capital_gains", "capital_losses", "stock_dividends")
NUMBERS = ("age", *DOLLARS, "num_emp", "weeks_worked")
CATEGORIES = (
    *("class_worker", "det_ind_code", "det_occ_code", "education", "hs_college", "marital_stat", "major_ind_code"),
    *("major_occ_code", "race", "hisp_origin", "sex", "union_member", "unemp_reason", "full_or_part_emp"),
    *("tax_filer_stat", "region_prev_res", "state_prev_res", "det_hh_fam_stat", "det_hh_summ", "mig_chg_msa"),
    *("mig_chg_reg", "mig_move_reg", "mig_same", "mig_prev_sunbelt", "fam_under_18", "country_father"),
    *("country_mother", "country_self", "citizenship", "own_or_self", "vet_question", "vet_benefits", "year"),
)
DEGREES = (
    "Bachelors degree(BA AB BS)",
    "Masters degree(MA MS MEng MEd MSW MBA)",
    "Prof school degree (MD DDS DVM LLB JD)",
    "Doctorate degree(PhD EdD)",
)


@dataclass(frozen=True)
class People:
    """The answers by column, and the targets [N], 0 or 1.

    ``categories`` [N] each are places in the distinct answers of all rows; ``numbers`` [N] each are as they stand.
    """

    categories: dict[str, Tensor]
    sizes: dict[str, int]
    numbers: dict[str, Tensor]
    targets: dict[str, Tensor]
    is_test: Tensor


def census_file(folder: Path | None = None) -> Path:
    """The table in a folder, by default in ``census/`` of the folder that ``EQUIPOISE_DATA`` names.

    Raises:
        ValueError: If the folder is not there.
    """
    return data_folder("census", SOURCE, folder) / "census_income_kdd.csv.gz"


def read_census(path: Path) -> People:
    """All rows, in the file's order.

    Raises:
        ValueError: If the file is not of that form, or an answer that decides a target is not one of the census's.
    """
    columns = read_columns(path, [*NUMBERS, *CATEGORIES, "income_50k", "is_test"])
    return People(
        categories={name: columns[name].codes for name in CATEGORIES},
        sizes={name: len(columns[name].cells) for name in CATEGORIES},
        numbers={name: columns[name].numbers() for name in NUMBERS},
        targets={
            "income": columns["income_50k"].places(("- 50000.", "50000+.")).float(),
            "never_married": _is_one_of(columns["marital_stat"], ("Never married",)),
            "college": _is_one_of(columns["education"], DEGREES),
        },
        is_test=columns["is_test"].places(("0", "1")).bool(),
    )


def _is_one_of(column: Column, answers: Sequence[str]) -> Tensor:
    return torch.tensor([float(cell in answers) for cell in column.cells])[column.codes]
