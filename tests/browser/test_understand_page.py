"""What the page makes of a request that says more than words: it offers to filter, and does so on a click."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

AXE = Path(__file__).parent / ".axe" / "axe.min.js"
SHOTS = Path(__file__).parent / ".shots"
SAID = "a tense French drama from the eighties"
WHERE = "country any 'france'"
APPLY = "#read-as button"


def asked(page: Any, text: str) -> None:
    """Say something, and wait until it is answered and what it was taken for has come."""
    with page.expect_response("**/v1/understand"):
        page.fill("#ask-box", text)
        page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#ask-box').value === ''")
    page.wait_for_selector("#cards .card:not(.skeleton)")
    page.wait_for_timeout(100)


def chips(page: Any) -> list[str]:
    """Texts of the chips."""
    found: list[str] = page.locator("#chips .chip > span").all_text_contents()
    return found


def filters(page: Any) -> list[str]:
    """Filters in the address."""
    found: list[str] = page.evaluate("new URLSearchParams(location.search).getAll('where')")
    return found


def test_nothing_is_filtered_until_it_is_applied(open_page: Any) -> None:
    """A request stays what was said; a line says how it could be read; a click makes filters of it."""
    page = open_page()
    page.wait_for_selector(".talk")
    asked(page, SAID)
    page.wait_for_selector(APPLY)
    assert chips(page) == [f"“{SAID}”"]
    assert filters(page) == []
    assert page.locator("#read-says").text_content() == "Read as: from France"
    with page.expect_response(lambda got: got.url.endswith("/v1/search") and "france" in got.request.post_data) as got:
        page.click(APPLY)
    countries = [hit["fields"]["country"] for hit in got.value.json()["hits"]]
    assert countries
    assert set(countries) == {"France"}
    assert filters(page) == [WHERE]
    assert chips(page)[0] == f"“{SAID}”"
    assert page.locator(APPLY).count() == 0
    assert page.evaluate("document.activeElement.id") == "ask-box"
    page.go_back()
    page.wait_for_selector(APPLY)
    assert filters(page) == []


def test_a_request_of_words_alone_is_offered_nothing(open_page: Any) -> None:
    """There is no line where nothing was found, and none is left from the request before."""
    page = open_page()
    page.wait_for_selector(".talk")
    asked(page, SAID)
    page.wait_for_selector(APPLY)
    page.click("#clear")
    page.wait_for_selector(".talk")
    assert page.locator("#read-as").text_content() == ""
    asked(page, "a quiet drama")
    assert page.locator("#read-as").text_content() == ""


def test_what_is_filtered_already_is_not_offered(open_page: Any) -> None:
    """Where the filters are set that a text names, there is nothing to apply."""
    page = open_page()
    page.wait_for_selector(".talk")
    with page.expect_response("**/v1/understand"):
        page.goto(page.url + "?" + urlencode({"q": SAID, "where": WHERE}))
    page.wait_for_selector("#cards .card:not(.skeleton)")
    page.wait_for_timeout(100)
    assert page.locator(APPLY).count() == 0


def test_what_a_search_reads_by_itself_is_not_offered(open_page: Any) -> None:
    """Years, refusals and named items stand in chips that can be taken back; no line offers them a second time."""
    page = open_page()
    page.wait_for_selector(".talk")
    asked(page, "a tense drama from the eighties, nothing with horror")
    page.wait_for_selector("#readings .chip")
    assert page.locator("#readings .chip").count() == 2
    assert page.locator("#read-as").text_content() == ""


def test_keys_reach_the_offer(open_page: Any) -> None:
    """Tab leads to the button, which is described by what it applies; Enter presses it; the line is announced."""
    page = open_page()
    page.wait_for_selector(".talk")
    asked(page, SAID)
    page.wait_for_selector(APPLY)
    page.focus("#ask-box")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#read-as') !== null"):
            break
    described = "document.getElementById(document.activeElement.getAttribute('aria-describedby')).textContent"
    assert "from France" in page.evaluate(described)
    assert page.locator("#read-as").get_attribute("role") == "status"
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.search.includes('where=')")


def test_what_is_typed_is_offered_too(open_page: Any) -> None:
    """The line follows the words while they are typed; applying keeps them as if Enter had been pressed."""
    page = open_page()
    page.wait_for_selector(".talk")
    page.locator("#ask-box").press_sequentially(SAID, delay=5)
    page.wait_for_selector(APPLY)
    page.wait_for_function("() => document.querySelector('#read-says').textContent.includes('France')")
    page.keyboard.press("Escape")
    page.wait_for_selector(APPLY, state="detached")
    page.locator("#ask-box").press_sequentially(SAID, delay=5)
    page.click(APPLY)
    page.wait_for_function("() => location.search.includes('where=')")
    assert chips(page)[0] == f"“{SAID}”"
    assert page.input_value("#ask-box") == ""


def test_the_same_words_asked_twice_while_the_service_reads_are_offered_once_read(open_page: Any) -> None:
    """The second call of a text drops the first; what was dropped takes no offer away."""
    page = open_page()
    page.wait_for_selector(".talk")
    asked_for: list[Any] = []

    def held(route: Any) -> None:
        asked_for.append(route)

    page.route("**/v1/understand", held)
    with page.expect_request("**/v1/understand"):
        page.fill("#ask-box", SAID)
    with page.expect_request("**/v1/understand"):
        page.keyboard.press("Enter")
    asked_for[-1].continue_()
    page.wait_for_selector(APPLY)
    assert page.locator("#read-says").text_content() == "Read as: from France"


def test_a_service_that_cannot_read_is_no_trouble(open_page: Any) -> None:
    """Where understanding fails, there is no line and no error; the search answers."""
    page = open_page()
    page.wait_for_selector(".talk")
    page.route("**/v1/understand", lambda route: route.fulfill(status=503, body="busy"))
    asked(page, SAID)
    assert page.locator("#cards .card:not(.skeleton)").count() > 0
    assert page.locator("#read-as").text_content() == ""
    assert page.locator("#notice .bad").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1360])
def test_the_offer_fits_and_axe_finds_nothing_serious(open_page: Any, scheme: str, width: int) -> None:
    """At phone and desk width, light and dark, nothing sticks out and the checker of accessibility is content."""
    page = open_page(
        viewport={"width": width, "height": 780}, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )
    page.wait_for_selector(".talk")
    asked(page, "an Italian drama from the sixties to the seventies, nothing with horror or comedy in the city")
    page.wait_for_selector(APPLY)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"understand-{scheme}-{width}.png")
    if not AXE.is_file():
        pytest.skip("NO AXE-CORE: accessibility is not tested. Get it with scripts/install-browser")
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("axe.run()")["violations"]
    assert not [(one["id"], one["nodes"][0]["target"]) for one in found if one["impact"] in ("serious", "critical")]


def test_what_was_read_can_be_taken_back(open_page: Any) -> None:
    """A refusal is a chip; its cross makes the words mere words, and the address keeps that."""
    page = open_page()
    page.wait_for_selector(".talk")
    asked(page, "a drama without horror")
    page.wait_for_selector("#readings .chip")
    assert page.locator("#readings .chip > span").all_text_contents() == ["without horror"]
    with page.expect_response("**/v1/search") as got:
        page.click("#readings .chip button")
    assert "read" not in got.value.json()
    assert "literal=horror" in page.url
    page.wait_for_selector("#readings .chip", state="detached")
    assert "only words:" in page.locator("#chips").text_content()
