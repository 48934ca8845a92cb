"""Pictures and sounds on the page: chosen, dropped, taken away, by pointer and by keys."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

TESTS = Path(__file__).resolve().parents[1]
AXE = Path(__file__).parent / ".axe" / "axe.min.js"
sys.path.insert(0, str(TESTS / "support"))
e2e = runpy.run_path(str(TESTS / "e2e" / "serve" / "conftest.py"))
tiny = runpy.run_path(str(TESTS / "support" / "tiny_clip.py"))
DROP = """([name, type, bytes]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([new Uint8Array(bytes)], name, { type }));
  for (const kind of ["dragover", "drop"]) document.body.dispatchEvent(
    new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, tiny_text_model: Path) -> Iterator[str]:
    """A service over films with pictures and sounds that requests can be made of."""
    import media_films

    from antiphon.config.load import load_config
    from antiphon.run.build import build

    folder = tmp_path_factory.mktemp("media")
    media_films.register(folder / "site")
    clip = tiny["make_clip"](folder / "clip")
    build(load_config(media_films.write_films(folder / "films", tiny_text_model, clip)), folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        paths = [str(folder / "site"), str(TESTS / "support"), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(paths).rstrip(os.pathsep))
        service = e2e["Service"]("serve", str(folder / "run"), "--port", "0")
    assert service.address, "".join(service.lines)
    yield service.address
    service.process.kill()


def picture(number: int) -> dict[str, Any]:
    """A picture to choose."""
    data = tiny["as_bytes"](tiny["picture"](number))
    return {"name": "poster.jpg", "mimeType": "image/jpeg", "buffer": data}


def chips(page: Any) -> list[str]:
    """Texts of the chips."""
    return page.locator("#chips .chip > span").all_text_contents()


def cards(page: Any) -> list[str]:
    """Ids of the answers that are shown, in order."""
    return page.locator("#cards .card:not(.skeleton)").evaluate_all("all => all.map((card) => card.dataset.key)")


def settled(page: Any) -> None:
    """Wait until no request is under way and the answers are drawn."""
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    page.wait_for_selector("#cards .card:not(.skeleton), #notice .note", state="attached")


def test_a_chosen_picture_is_a_chip_that_can_be_removed(open_page: Any) -> None:
    """Choosing a file searches with it; words join it; its chip takes it away again."""
    page = open_page()
    page.wait_for_selector(".talk")
    page.set_input_files("#file-image", picture(8))
    page.wait_for_selector("#cards .card:not(.skeleton)")
    settled(page)
    assert chips(page) == ["poster.jpg"]
    assert page.locator("#chips img").count() == 1
    assert len(cards(page)) == 20
    page.fill("#ask-box", "a dark thriller")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('#chips .chip').length === 2")
    settled(page)
    page.get_by_role("button", name="Remove picture: poster.jpg").click()
    page.wait_for_function("() => document.querySelectorAll('#chips .chip').length === 1")
    settled(page)
    assert chips(page) == ["“a dark thriller”"]


def test_a_dropped_file_is_searched_with(open_page: Any) -> None:
    """A sound that is dropped on the page answers; what is neither picture nor sound is refused in a sentence."""
    import media_films

    page = open_page()
    page.wait_for_selector(".talk")
    page.evaluate(DROP, ["a.snd", "audio/x-test", list(media_films.sound(4))])
    page.wait_for_selector("#cards .card:not(.skeleton)")
    settled(page)
    assert chips(page) == ["a.snd"]
    page.evaluate(DROP, ["notes.txt", "text/plain", [65, 66]])
    page.wait_for_selector("#notice .bad")
    assert "takes a picture or a sound" in page.locator("#notice").inner_text()


def test_a_broken_picture_says_so(open_page: Any) -> None:
    """The service's sentence is shown, and the page goes on."""
    page = open_page()
    page.wait_for_selector(".talk")
    page.set_input_files("#file-image", {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    page.wait_for_selector("#notice .bad")
    assert "no pictures" in page.locator("#notice").inner_text()


def test_the_keyboard_reaches_the_pickers(open_page: Any) -> None:
    """Tab leads from the box to the buttons, which have names; Enter opens the choice of a file."""
    page = open_page()
    page.wait_for_selector(".talk")
    page.focus("#ask-box")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Search with a picture"
    with page.expect_file_chooser() as chosen:
        page.evaluate("0")  # an answer says that the page knows by now whom to tell of the chooser; keys overtake that
        page.keyboard.press("Enter")
    chosen.value.set_files(picture(3))
    page.wait_for_selector("#cards .card:not(.skeleton)")
    assert chips(page) == ["poster.jpg"]


def test_starting_over_forgets_the_picture(open_page: Any) -> None:
    """The words `start over` leave neither words nor files."""
    page = open_page()
    page.wait_for_selector(".talk")
    page.set_input_files("#file-image", picture(1))
    page.wait_for_selector("#cards .card:not(.skeleton)")
    page.fill("#ask-box", "start over")
    page.keyboard.press("Enter")
    page.wait_for_selector(".talk")
    assert chips(page) == []


@pytest.fixture
def page_with_microphone(browser: Any, address: str) -> Iterator[Any]:
    """The page in a browser whose microphone beeps."""
    find = runpy.run_path(str(Path(__file__).with_name("conftest.py")))["find_browser"]
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    beeping = browser.browser_type.launch(executable_path=find(), args=flags)
    page = beeping.new_context(permissions=["microphone"]).new_page()
    page.goto(address)
    page.wait_for_selector(".talk")
    yield page
    beeping.close()


def test_a_recording_is_sent_as_wav(page_with_microphone: Any) -> None:
    """The button records until it is pressed again; what is sent is a WAV file with sound in it."""
    page = page_with_microphone
    page.get_by_role("button", name="Record a sound to search with").click()
    stopping = page.get_by_role("button", name="Stop recording and search")
    stopping.wait_for()
    page.wait_for_timeout(1500)
    with page.expect_request("**/v1/search/media") as asked:
        stopping.click()
    page.wait_for_function("() => document.querySelectorAll('#chips .chip').length === 1")
    assert chips(page) == ["recording.wav"]
    assert page.get_by_role("button", name="Record a sound to search with").is_visible()
    body = asked.value.post_data_buffer
    assert body is None or b"recording.wav" in body
    header, samples = page.evaluate(READ)
    assert header == "RIFFWAVEfmt data"
    assert max(samples) > 300
    assert len(samples) > 10_000


READ = """async () => {
  const { get } = await import("/static/js/state.js");
  const data = await get().audio.arrayBuffer();
  const text = (from, to) => String.fromCharCode(...new Uint8Array(data.slice(from, to)));
  return [text(0, 4) + text(8, 16) + text(36, 40), [...new Int16Array(data.slice(44))]];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_beside_files(open_page: Any, scheme: str) -> None:
    """With a picture in the request, the checker of accessibility finds nothing serious, light or dark."""
    if not AXE.is_file():
        pytest.skip("NO AXE-CORE: accessibility is not tested. Get it with scripts/install-browser")
    page = open_page(color_scheme=scheme, bypass_csp=True, reduced_motion="reduce")
    page.wait_for_selector(".talk")
    page.set_input_files("#file-image", picture(2))
    page.wait_for_selector("#cards .card:not(.skeleton)")
    settled(page)
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("axe.run()")["violations"]
    serious = [(one["id"], one["nodes"][0]["target"]) for one in found if one["impact"] in ("serious", "critical")]
    assert not serious, serious


@pytest.mark.parametrize("width", [360, 768])
def test_the_pickers_fit_narrow_screens(open_page: Any, width: int) -> None:
    """At phone and tablet width nothing sticks out, and what is typed does not run under the buttons."""
    page = open_page("/?q=drama", viewport={"width": width, "height": 780})
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    room = page.evaluate(
        "parseFloat(getComputedStyle(document.querySelector('#ask-box')).paddingRight)"
        " - (document.querySelector('#ask-box').getBoundingClientRect().right"
        " - document.querySelector('.pickers').getBoundingClientRect().left)"
    )
    assert room >= 0
