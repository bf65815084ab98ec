"""A page in a browser."""


def settle(page):
    page.wait_for_selector("html.drawn", state="attached", timeout=60_000)
