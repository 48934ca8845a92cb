"""What the page takes in a real browser: first paint, an answer, and frames of a map with very many points.

    python benchmarks/page.py RUN [--points 50000]

RUN is served as it is; only the map's points are replaced by as many random ones as asked for. Without a graphics card
Chromium draws by its software renderer, so frames here are the slowest that anybody sees.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from kept import origin

N_ASKS, N_FRAMES = 15, 60
TEXTS = ("a quiet drama", "dark and tense", "comedy", "war", "space", "love", "family", "crime")


def serve(run: Path) -> tuple[subprocess.Popen[str], str]:
    """A service over the run, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "antiphon", "serve", str(run), "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr or ():
        if line.startswith("serving at "):
            return process, line.split()[-1].rstrip("/")
    raise SystemExit("the service did not start")


def first_paint(browser: Any, address: str) -> list[float]:
    """Milliseconds to the first contentful paint, of fresh visits."""
    found = []
    for _ in range(5):
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector(".talk")
        page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
        found.append(page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        page.close()
    return found


def answers(page: Any) -> list[float]:
    """Milliseconds from Enter to the cards of the answer."""
    found = []
    for number in range(N_ASKS):
        page.locator("#clear").click() if number else None
        page.fill("#ask-box", f"{TEXTS[number % len(TEXTS)]} {number}")
        start = time.perf_counter()
        page.keyboard.press("Enter")
        page.wait_for_selector("#cards .card:not(.skeleton)")
        found.append((time.perf_counter() - start) * 1e3)
    return found


def frames(browser: Any, address: str, n_points: int) -> list[float]:
    """Milliseconds between frames while the map is zoomed with the wheel."""
    page = browser.new_page(viewport={"width": 1360, "height": 860})
    ids = page.request.get(f"{address}/v1/map").json()["item_ids"]
    rng = np.random.default_rng(0)
    places = rng.integers(0, 65_536, (2, n_points)).tolist()
    document = {"item_ids": [ids[number % len(ids)] for number in range(n_points)], "x": places[0], "y": places[1]}
    page.route("**/v1/map", lambda route: route.fulfill(json={**_rest(page, address), **document}))
    colours = {"field": "none", "kind": "words", "legend": [], "codes": [-1] * n_points, "labels": []}
    page.route("**/v1/map/colours*", lambda route: route.fulfill(json=colours))
    page.goto(f"{address}/?q=drama&view=map")
    page.wait_for_selector("#atlas canvas")
    page.wait_for_load_state("networkidle")
    box = page.locator("#atlas canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    script = """(n) => new Promise((done) => {
        const canvas = document.querySelector('#atlas canvas'); const box = canvas.getBoundingClientRect();
        const spent = []; let last = performance.now();
        const turn = (now) => {
            spent.push(now - last); last = now;
            const at = {clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, bubbles: true};
            canvas.dispatchEvent(new WheelEvent('wheel', {...at, deltaY: spent.length % 20 < 10 ? -40 : 40}));
            spent.length < n ? requestAnimationFrame(turn) : done(spent.slice(1));
        };
        requestAnimationFrame(turn);
    })"""
    found: list[float] = page.evaluate(script, N_FRAMES)
    page.close()
    return found


def _rest(page: Any, address: str) -> dict[str, Any]:
    """What the map's document has beside its points."""
    document = page.request.get(f"{address}/v1/map").json()
    return {key: value for key, value in document.items() if key not in ("item_ids", "x", "y")}


def main() -> None:
    """Print the table, and write it to benchmarks/results/page.json."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--points", type=int, default=50_000)
    given = parser.parse_args()
    process, address = serve(given.run)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--enable-unsafe-swiftshader"]
            )
            painted = first_paint(browser, address)
            page = browser.new_page(viewport={"width": 1360, "height": 860})
            page.goto(address)
            page.wait_for_selector(".talk")
            answered = answers(page)
            page.close()
            drawn = frames(browser, address, given.points)
            browser.close()
    finally:
        process.terminate()
        process.wait(30)
    rows = {
        "first contentful paint, ms": statistics.median(painted),
        "Enter to cards, ms": statistics.median(answered),
        f"a frame of the map with {given.points:,} points while zooming, ms": statistics.median(drawn),
        "the slowest tenth of such frames, ms": float(np.percentile(drawn, 90)),
    }
    print("| what | median |\n|---|---:|")
    for name, value in rows.items():
        print(f"| {name} | {value:.0f} |")
    where = origin("page.json")
    print(f"\n{where['machine']}, commit {where['commit']}, load {os.getloadavg()[0]:.1f}")
    out = Path(__file__).parent / "results" / "page.json"
    out.write_text(json.dumps({"where": where, "rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
