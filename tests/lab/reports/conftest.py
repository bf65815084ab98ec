import shutil

import pytest
from browsing import settle
from made_study import Folder, make_study
from report_reading import write_report


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> Folder:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def written(study) -> Folder:
    """The same with its report, image files and tables; to be read only."""
    write_report(study.path)
    return study


@pytest.fixture(scope="session")
def reported(study, save_blank) -> Folder:
    """The same with its report, tables and blank image files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("equipoise.lab.reports.report.save", save_blank)
        write_report(study.path)
    return study


@pytest.fixture
def make(tmp_path):
    """Builds a folder in a fresh place; keyword arguments as in ``make_study``."""

    def build(**changes) -> Folder:
        shutil.rmtree(tmp_path / "study", ignore_errors=True)
        (tmp_path / "study").mkdir()
        return make_study(tmp_path / "study", **changes)

    return build


@pytest.fixture
def open_page(browser):
    """Opens a report; afterwards nothing may have gone wrong in it."""
    complaints, pages = [], []

    def open_at(path, width=1280, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        pages.append(page)
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url[:100]}"))
        page.on("request", lambda r: complaints.append(r.url) if r.url.startswith(("http", "ws")) else None)
        page.goto(path.as_uri())
        settle(page)
        return page

    yield open_at
    for page in pages:
        page.close()
    assert complaints == []
