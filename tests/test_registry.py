import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import equipoise as eq
from equipoise import aggregation, weighting, wrapping
from equipoise.method import Method
from equipoise.registry import AROUND

NEEDED = {
    "amtl": {"potential": [0.8, 0.9]},
    "clip": {"max_norm": 1.0},
    "fixed": {"weights": [1.0, 2.0]},
    "lagrangian": {"limits": [None, 1.0]},
    "pivrg": {"baseline": [0.8, 0.9]},
    "scheduled": {"weights": [[1.0, 2.0]]},
}


def test_every_method_of_the_package_is_listed_once():
    listed = [row.cls for row in eq.methods()]
    abstract = {eq.Method, eq.Weighting, eq.Aggregator, eq.GroupAggregator, eq.CoordinateAggregator, eq.RowAggregator}
    abstract |= {eq.Chain, eq.Wrapper, *(row.cls for row in AROUND)}  # made around a method, not by name
    public = [value for value in vars(eq).values() if isinstance(value, type) and issubclass(value, Method)]
    assert sorted(cls.__name__ for cls in listed) == sorted(cls.__name__ for cls in set(public) - abstract)
    assert len({row.name for row in eq.methods()}) == len(listed)


def test_every_file_of_a_method_has_a_row():
    """A class that another one is made of may be a base alone; wrapper.py has those of all wrappers.

    By name, since a test that imports a module anew leaves two classes of it.
    """
    for package in (aggregation, weighting, wrapping):
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
    known, made = {row.cls.__name__ for row in (*eq.methods(), *AROUND)}, [Method]
    for cls in made:  # which grows
        made += [one for one in cls.__subclasses__() if one.__module__.startswith("equipoise.")]
    leaves = [cls for cls in made if not any(one in made for one in cls.__subclasses__())]
    packages = ("equipoise.aggregation", "equipoise.weighting", "equipoise.wrapping")
    others = [cls for cls in leaves if cls.__module__ != eq.Wrapper.__module__]
    lacking = {cls.__name__ for cls in others if cls.__module__.startswith(packages)} - known
    assert lacking == set(), f"give {lacking} a row in src/equipoise/registry/"


def read_only(value):
    return tuple(map(read_only, value)) if isinstance(value, list) else value


@pytest.mark.parametrize("row", eq.methods(), ids=lambda row: row.name)
def test_a_row_tells_what_its_class_is(row):
    assert row.name == row.name.lower().replace("_", "-")
    assert row.paper
    assert row.needs
    assert row.user_weight == row.cls.user_weight
    assert row.cost == ("1 backward" if issubclass(row.cls, eq.Weighting) else "K backwards")
    assert ("gramian" in row.needs) == issubclass(row.cls, eq.Aggregator)
    made = eq.method(row.name, **NEEDED.get(row.name, {}))
    assert type(made) is row.cls
    required = {name for name, default in row.arguments.items() if default is inspect.Parameter.empty}
    assert required == set(NEEDED.get(row.name, {}))
    for name, default in row.arguments.items():
        given = NEEDED.get(row.name, {}).get(name, default)
        assert getattr(made, name) == read_only(given)


def test_rows_of_the_methods_by_hand():
    rows = {row.name: row for row in eq.methods()}
    assert rows["uw"].arguments == {"form": "regression", "initial": 0.0}
    assert rows["sum"].arguments == {}
    assert "optimiser" in rows["uw"].needs
    assert "end_epoch" in rows["dwa"].needs
    assert rows["uw"].user_weight == "ignored"
    assert rows["nash-mtl"].user_weight == rows["unit-norm"].user_weight == "preference"


@pytest.mark.parametrize("row", eq.methods(), ids=lambda row: row.name)
def test_a_sample_makes_the_method_for_any_number_of_tasks(row):
    for num_tasks in (3, 10):
        made = row.make(num_tasks)
        made.bind(num_tasks)
        assert type(made) is row.cls


def test_the_table_cannot_be_changed_by_its_reader():
    eq.methods().clear()
    assert eq.methods()


def test_a_method_by_its_name_takes_arguments():
    assert repr(eq.method("dwa", temperature=1.0)) == "DWA(temperature=1.0)"
    assert repr(eq.method("nash-mtl", preference=[1.0, 2.0])) == "NashMTL(preference=(1.0, 2.0))"


@pytest.mark.parametrize(
    ("wrong", "right"), [("nash-mlt", "nash-mtl"), ("mdga", "mgda"), ("PCGradd", "pcgrad"), ("NahsMTL", "nash-mtl")]
)
def test_an_unknown_name_names_the_nearest(wrong, right):
    with pytest.raises(ValueError, match=f"no method '{wrong}'; did you mean '{right}'"):
        eq.method(wrong)


def test_a_name_that_is_near_to_none_lists_none():
    with pytest.raises(
        ValueError, match=r"no method 'zzzz'; none of the \d+ names is near; equipoise methods lists them$"
    ):
        eq.method("zzzz")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("dwa", {"temprature": 1.0}, r"method 'dwa': got an unexpected keyword argument 'temprature'; it takes \(temp"),
        ("fixed", {}, r"method 'fixed': missing a required argument: 'weights'; it takes \(weights"),
        ("sum", {"weights": 1}, "method 'sum': got an unexpected keyword argument 'weights'"),
        ("mgda", {"seed": 1}, r"method 'mgda': got an unexpected keyword argument 'seed'; it takes \(\)"),
        ("dwa", {"temperature": -1.0}, r"temperature must be in \(0, inf\], got -1.0"),
    ],
)
def test_arguments_that_do_not_fit(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        eq.method(name, **arguments)


@pytest.mark.parametrize("name", [None, eq.MGDA])
def test_a_name_is_a_string(name):
    with pytest.raises(ValueError, match="name must be a method's name, such as 'mgda', got"):
        eq.method(name)


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(
        "import equipoise as eq\n"
        "class Half(eq.Weighting):\n"
        "    def __init__(self, factor=0.5):\n"
        "        super().__init__()\n"
        "        self.factor = factor\n"
        "    def forward(self, losses, tasks):\n"
        "        return self.factor * losses.sum()\n"
        "class Plain:\n"
        "    pass\n"
        "number = 3\n"
    )
    return path


def test_a_method_of_the_users_own_file(own):
    method = eq.method(f"{own}:Half", factor=0.25)
    assert isinstance(method, eq.Weighting)
    assert repr(method) == "Half(factor=0.25)"


def test_a_misspelt_name_in_a_file(own):
    with pytest.raises(ValueError, match=r"own.py has no 'Hlaf'; did you mean 'Half'\?"):
        eq.method(f"{own}:Hlaf")


@pytest.mark.parametrize("attribute", ["number", "Plain"])
def test_a_file_without_that_method(own, attribute):
    with pytest.raises(ValueError, match=f"'{attribute}' of .*own.py' must be a class of a method or a function that"):
        eq.method(f"{own}:{attribute}")


def test_a_function_of_a_file_makes_a_method(own):
    own.write_text("import equipoise as eq\n\ndef tenth(every=10):\n    return eq.Every(every, eq.MGDA())\n")
    assert repr(eq.method(f"{own}:tenth")) == "Every(n=10, method=MGDA())"
    assert repr(eq.method(f"{own}:tenth", every=5)) == "Every(n=5, method=MGDA())"
    own.write_text("def nothing():\n    return 3\n")
    with pytest.raises(ValueError, match=r"own.py:nothing' must make a method, such as eq.Every.*, got 3"):
        eq.method(f"{own}:nothing")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"there is no file '.*none\.py' \(looked in"):
        eq.method(f"{tmp_path}/none.py:Half")


def test_arguments_that_do_not_fit_the_users_method(own):
    with pytest.raises(ValueError, match=r"unexpected keyword argument 'fcator'; it takes \(factor=0.5\)"):
        eq.method(f"{own}:Half", fcator=1.0)


def test_the_methods_with_a_norm_of_their_own_are_named_with_the_reason():
    """The law ``delivers_sum`` holds the others to what they declare."""
    rows = {row.name: row for row in eq.methods()}
    own = {name for name, row in rows.items() if row.norm == "own"}
    assert {"nash-mtl", "unit-norm", "fairgrad", "uw", "log-sum", "adatask"} <= own
    assert not own & {"sum", "mgda", "pcgrad", "cagrad", "config", "rlw", "gradnorm", "fixed"}
    reasons = {name: rows[name].cls.own_norm for name in own}
    assert all(reasons.values()), reasons
    page = (Path(__file__).parent.parent / "docs" / "methods.md").read_text(encoding="utf-8")
    assert all(f"| [`{name}`](#{name}) | {reason} |" in page for name, reason in reasons.items())


@pytest.mark.parametrize("name", ["DWA(temperature=1.0)", "eq.dwa( 1.0 )"])
def test_arguments_in_a_name_are_refused_not_dropped(name):
    with pytest.raises(ValueError, match=r"has arguments, and a name has none: give them as eq.method\('dwa', ...\)"):
        eq.method(name)
    assert repr(eq.method("eq.DWA()")) == "DWA()"
