"""A page made from somebody else's folder, in a real browser: our scripts run under its policy, and no other."""

import pytest
from browsing import settle
from hostile_folder import hostile_study
from report_reading import write_report

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_image_files(monkeypatch):
    monkeypatch.setattr("equipoise.lab.reports.report.save", lambda chart, look, folder: ())


def test_nothing_of_a_hostile_folder_runs(tmp_path, open_page):
    page = open_page(write_report(hostile_study(tmp_path).path))
    page.evaluate("document.querySelectorAll('*').forEach(one => one.dispatchEvent(new Event('mouseover')))")
    for button in page.locator(".legend button").all()[:3]:
        button.click()
        settle(page)
    page.locator("#losses .plot").first.hover()
    assert page.evaluate("window.hacked") is None
    assert page.locator(".plot svg.main-svg").count() > 5  # plotly was unpacked and drew


def test_the_policy_stops_a_script_that_is_not_ours(tmp_path, browser):
    path = write_report(hostile_study(tmp_path).path)
    source = path.read_text(encoding="utf-8")
    path.write_text(source.replace("<main>", "<main><script>window.hacked = 1</script><img src=x onerror=hacked=1>"))
    page = browser.new_page()
    page.goto(path.as_uri())
    settle(page)
    assert page.evaluate("window.hacked") is None
    page.close()
