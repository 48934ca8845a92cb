"""A real browser in front of a real service. Without a browser these tests are skipped, loudly."""

from __future__ import annotations

import os
import runpy
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = next(folder for folder in Path(__file__).resolve().parents if folder.name == "tests")
e2e = runpy.run_path(str(TESTS / "e2e" / "serve" / "conftest.py"))
tiny_text_model = e2e["tiny_text_model"]
film_run = e2e["film_run"]
Service = e2e["Service"]
RUN = "ANTIPHON_BROWSER_RUN"
"""A run to drive instead of the small one, such as that of the movies data set."""
NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_browser() -> str | None:
    """The path of a Chromium; None where there is none."""
    given = os.environ.get("ANTIPHON_BROWSER")
    return given or next((path for path in map(shutil.which, NAMES) if path), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs a browser."""
    here = [item for item in items if Path(item.fspath).parent == Path(__file__).parent]
    for item in here:
        item.add_marker(pytest.mark.browser)
    if here and find_browser() is None:
        said = "NO BROWSER: the page is not tested. Install one with scripts/install-browser"
        warnings.warn(said, stacklevel=1)
        for item in here:
            item.add_marker(pytest.mark.skip(reason=said))


@pytest.fixture(scope="session")
def service_of() -> Callable[[Path], Iterator[str]]:
    """A function that serves a run in a process of its own, and gives its address."""

    def serve(run: Path) -> Iterator[str]:
        service = Service("serve", str(run), "--port", "0")
        assert service.address, "".join(service.lines)
        yield service.address
        service.process.kill()

    return serve


@pytest.fixture(scope="session")
def address(request: pytest.FixtureRequest, service_of: Callable[[Path], Iterator[str]]) -> Iterator[str]:
    """A service over a small run, or over the one that is given."""
    given = os.environ.get(RUN)
    yield from service_of(Path(given) if given else request.getfixturevalue("film_run"))


@pytest.fixture(scope="module")  # its event loop would stand in the way of other modules' tests
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox", "--enable-unsafe-swiftshader", "--use-gl=swiftshader"]
        )
        yield made
        made.close()


@pytest.fixture
def open_page(browser: Any, address: str) -> Iterator[Any]:
    """A function that opens the page; the test fails if the page logged an error or asked another host."""
    contexts, wrong = [], []

    def start(path: str = "/", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1360, "height": 860}, **options})
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
        page.on("request", lambda asked: wrong.append(asked.url) if not _own(asked.url, address) else None)
        page.goto(address + path)
        return page

    yield start
    for context in contexts:
        context.close()
    assert not wrong, wrong


def _own(url: str, address: str) -> bool:
    return url.startswith((address, "data:", "blob:"))
