"""The pictures of the page in README and docs, made of the generated catalog in a real browser.

    antiphon demo --dataset generated --run runs/demo --no-serve
    python scripts/pictures.py runs/demo [--out docs/images]

It needs Chromium (scripts/install-browser). The pictures show what the page of this commit shows; make them again when
the page changes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WIDE, PHONE = {"width": 1360, "height": 850}, {"width": 390, "height": 780}
REQUEST = "/?q=a+tense+film+about+a+conspiracy"
Steps = Callable[[Any], None]


@contextmanager
def served(run: Path) -> Iterator[str]:
    """A service over the run, and its address."""
    command = [sys.executable, "-m", "antiphon", "serve", str(run), "--port", "0", "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr or ():
            if line.startswith("serving at "):
                yield line.split()[-1].rstrip("/")
                return
        raise SystemExit("the service did not start")
    finally:
        process.terminate()
        process.wait(60)


def settled(page: Any) -> None:
    """Wait until everything is drawn."""
    page.wait_for_load_state("networkidle")
    page.wait_for_selector("#cards .card:not(.skeleton)", state="attached")
    page.wait_for_timeout(400)


def refined(page: Any) -> None:
    """A request, steered by a sentence, and a list made of its answers."""
    page.fill("#ask-box", "less violent")
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.search.includes('less=')")
    settled(page)
    page.get_by_role("button", name="Generate").click()
    page.wait_for_selector("#playlist .entry")
    page.locator("#ask-box").blur()


def why(page: Any) -> None:
    """The reason of the first answer."""
    page.locator("#cards .whybar").first.click()
    page.wait_for_selector("dialog .shares small:text('place')")


PICTURES: dict[str, tuple[str, dict[str, int], str, Steps | None]] = {
    "page": (REQUEST, WIDE, "light", refined),
    "map": (f"{REQUEST}&view=map", WIDE, "light", None),
    "why": (REQUEST, WIDE, "light", why),
    "phone": (REQUEST, PHONE, "dark", None),
}


def main() -> None:
    """Make all pictures."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "images")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    arguments = ["--no-sandbox", "--enable-unsafe-swiftshader", "--use-gl=swiftshader"]
    with served(given.run) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        for name, (path, size, scheme, steps) in PICTURES.items():
            page = browser.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
            page.set_default_timeout(60_000)
            page.goto(address + path)
            settled(page)
            if steps:
                steps(page)
                settled(page)
            page.screenshot(path=given.out / f"{name}.png")
            page.close()
            print(given.out / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
