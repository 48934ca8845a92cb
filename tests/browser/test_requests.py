"""What a sentence does to the request: it asks anew or refines, it says which, and it can be taken the other way."""

from __future__ import annotations

from typing import Any

import pytest

HOW = "#how"
OTHER_WAY = "#how button"


def cards(page: Any) -> list[str]:
    """Ids of the answers that are shown, in order."""
    found: list[str] = page.locator("#cards .card:not(.skeleton)").evaluate_all(
        "all => all.map((card) => card.dataset.key)"
    )
    return found


def chips(page: Any) -> list[str]:
    """Texts of the chips."""
    found: list[str] = page.locator("#chips .chip > span").all_text_contents()
    return found


def say(page: Any, text: str, key: str = "Enter") -> None:
    """Say something and wait for its answers."""
    page.fill("#ask-box", text)
    with page.expect_response("**/v1/search"):
        page.keyboard.press(key)
    page.wait_for_function("() => document.querySelector('#ask-box').value === ''")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    page.wait_for_selector("#cards .card:not(.skeleton)")


def test_the_first_sentence_is_searched_as_it_was_said(open_page: Any) -> None:
    """No rule takes the first sentence apart: what is read of it is shown, and is the same as the API reads."""
    page = open_page()
    page.wait_for_selector(".talk")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.fill("#ask-box", "a drama, no horror")
    with page.expect_response("**/v1/search") as got:
        page.keyboard.press("Enter")
    page.wait_for_selector("#readings .chip")
    assert got.value.request.post_data_json["text"] == "a drama, no horror"
    assert "where" not in got.value.request.post_data_json
    assert not [url for url in asked if url.endswith("/v1/refine")]
    assert chips(page) == ["“a drama, no horror”"]
    assert page.locator("#readings .chip > span").all_text_contents() == ["without horror"]


def test_other_words_are_a_new_request_and_can_be_added_instead(open_page: Any) -> None:
    """Other words ask for themselves; one click adds them to what was asked before, one more takes that back."""
    page = open_page()
    page.wait_for_selector(".talk")
    say(page, "a quiet drama")
    say(page, "a comedy with robots")
    assert chips(page) == ["“a comedy with robots”"]
    assert "A new request." in page.locator(HOW).text_content()
    anew = cards(page)
    page.click(OTHER_WAY)
    page.wait_for_function("() => location.search.includes('more=')")
    assert chips(page) == ["“a quiet drama”", "a comedy with robots"]
    assert "Added to “a quiet drama”." in page.locator(HOW).text_content()
    page.click(OTHER_WAY)
    page.wait_for_function("() => !location.search.includes('more=')")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    assert chips(page) == ["“a comedy with robots”"]
    assert cards(page) == anew


def test_a_command_refines_and_can_be_asked_anew_instead(open_page: Any) -> None:
    """A command keeps the words before it; "ask anew instead" makes a request of its own of it."""
    page = open_page()
    page.wait_for_selector(".talk")
    say(page, "a quiet drama")
    say(page, "less violent")
    assert chips(page)[0] == "“a quiet drama”"
    assert "Added to “a quiet drama”." in page.locator(HOW).text_content()
    page.click(OTHER_WAY)
    page.wait_for_function("() => location.search.includes('q=less')")
    assert chips(page) == ["“less violent”"]


def test_it_is_said_before_enter_and_shift_takes_the_other_way(open_page: Any) -> None:
    """While words are typed the line says what Enter will do; Shift and Enter do the other thing."""
    page = open_page("/?q=drama")
    page.wait_for_selector("#cards .card:not(.skeleton)")
    page.locator("#ask-box").press_sequentially("space robots", delay=5)
    page.wait_for_selector(OTHER_WAY)
    assert page.locator(HOW).text_content().startswith("Enter a new request.")
    page.keyboard.press("Escape")
    assert page.locator(HOW).text_content() == ""
    say(page, "space robots", "Shift+Enter")
    assert chips(page) == ["“drama”", "space robots"]


def test_what_was_sent_can_be_edited(open_page: Any) -> None:
    """A click on the words, or the arrow up in the empty box, brings them back; Enter replaces them, the rest stays."""
    page = open_page("/?q=drama&where=year%3E%3D1980")
    page.wait_for_selector("#cards .card:not(.skeleton)")
    page.click("#chips .edit")
    assert page.input_value("#ask-box") == "drama"
    assert "In place of “drama”" in page.locator(HOW).text_content().replace("in place", "In place")
    say(page, "a quiet comedy")
    assert chips(page) == ["“a quiet comedy”", "year from 1980"]
    page.focus("#ask-box")
    page.keyboard.press("ArrowUp")
    assert page.input_value("#ask-box") == "a quiet comedy"
    page.keyboard.press("Escape")
    assert page.input_value("#ask-box") == ""
    assert chips(page)[0] == "“a quiet comedy”"


def test_editing_words_away_leaves_the_rest(open_page: Any) -> None:
    """Where all words are taken out of the box, Enter takes them out of the request; a suggestion is no edit."""
    page = open_page("/?q=drama&like=film-003")
    page.wait_for_selector("#cards .card:not(.skeleton)")
    page.click("#chips .edit")
    page.get_by_role("button", name="newer").click()
    page.wait_for_function("() => location.search.includes('where=')")
    assert "q=drama" in page.url
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    page.click("#chips .edit")
    page.fill("#ask-box", "")
    page.wait_for_timeout(150)
    page.keyboard.press("Enter")
    page.wait_for_function("() => !location.search.includes('q=')")
    assert "like=film-003" in page.url


def test_undo_brings_the_request_before_back(open_page: Any) -> None:
    """The button and the key go back step by step, as far as this visit goes, and no further."""
    page = open_page("/?q=drama")
    page.wait_for_selector("#cards .card:not(.skeleton)")
    assert not page.locator("#undo").is_visible()
    before = cards(page)
    say(page, "a comedy with robots")
    say(page, "space")
    page.click("#undo")
    page.wait_for_function("() => location.search.includes('robots')")
    page.locator("#cards .card").first.focus()
    page.keyboard.press("u")
    page.wait_for_function("() => location.search === '?q=drama'")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    page.wait_for_function(
        "ids => JSON.stringify([...document.querySelectorAll('#cards .card')].map(c => c.dataset.key)) === ids",
        arg="[" + ",".join(f'"{one}"' for one in before) + "]",
    )
    assert not page.locator("#undo").is_visible()


def test_a_shared_link_restores_the_request(open_page: Any, address: str) -> None:
    """The link that the button copies shows the same chips and the same answers to somebody else."""
    page = open_page("/?q=drama", permissions=["clipboard-read", "clipboard-write"])
    page.wait_for_selector("#cards .card:not(.skeleton)")
    page.locator("#cards .card").nth(1).locator("[data-tool=more]").click()
    page.wait_for_function("() => location.search.includes('like=')")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    say(page, "less violent")
    with page.expect_response("**/v1/search"):
        page.locator("#mix").fill("0.3")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    page.click("#share")
    page.wait_for_function("() => document.querySelector('#share').textContent === 'copied'")
    link = page.evaluate("navigator.clipboard.readText()")
    other = open_page(link.removeprefix(address))
    other.wait_for_selector("#cards[aria-busy=false]", state="attached")
    other.wait_for_selector("#cards .card:not(.skeleton)")
    assert chips(other) == chips(page)
    assert cards(other) == cards(page)
    assert other.input_value("#mix") == "0.3"


def test_newer_names_a_whole_year(open_page: Any) -> None:
    """The middle of an even number of years lies between two; the chip names a year all the same."""
    page = open_page("/?q=drama")
    page.wait_for_selector("#cards .card:not(.skeleton)")
    say(page, "newer")
    chip = next(text for text in chips(page) if "year" in text)
    assert chip.removeprefix("year after ").isdigit()


def test_misspelt_titles_are_suggested(open_page: Any) -> None:
    """A letter that is missing from a title does not keep it from being suggested."""
    page = open_page()
    page.wait_for_selector(".talk")
    title = page.evaluate(
        "async () => (await (await fetch('/v1/items?k=100&q=e')).json()).items.find(i => i.title.length > 9).title"
    )
    page.locator("#ask-box").press_sequentially(title[:4] + title[5:], delay=5)
    page.wait_for_selector("#ask-titles li")
    assert title in page.locator("#ask-titles li").first.text_content()


@pytest.mark.parametrize(("where", "said"), [("year>=3000", "from 3000"), ("year<1000", "to 999")])
def test_a_filter_that_nothing_can_pass_says_so(open_page: Any, where: str, said: str) -> None:
    """Years that the catalog does not have are no range that runs backwards."""
    from urllib.parse import quote

    page = open_page(f"/?q=drama&where={quote(where)}")
    page.wait_for_selector("#facet-list .facet")
    text = page.locator("#facet-list .facet", has_text="year").first.text_content()
    assert f"None: the filter is {said}, the catalog has" in text


def test_it_is_said_where_nothing_fits(open_page: Any) -> None:
    """An answer in doubt has a note above it; the next one has none."""
    page = open_page()
    page.wait_for_selector(".talk")

    def doubted(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "nothing_fits": True})

    page.route("**/v1/search", doubted)
    say(page, "zzzzqqqq")
    assert "Nothing fits well" in page.locator("#notice").text_content()
    assert page.locator("#cards .card").count() > 0
    page.unroute("**/v1/search")
    say(page, "a quiet drama")
    assert page.locator("#notice").text_content() == ""


def tab_to(page: Any, wanted: str, most: int = 250) -> None:
    """Press Tab until the element in focus is the wanted one, a test on `element`."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(f"(() => {{ const element = document.activeElement; return Boolean({wanted}); }})()"):
            return
    pytest.fail(f"Tab does not lead to: {wanted}")


def test_the_keyboard_alone_suffices(open_page: Any) -> None:
    """Ask, filter, look at a reason, list, export, take a word away and undo, without a pointer."""
    page = open_page(reduced_motion="reduce")
    page.wait_for_selector(".talk")
    page.keyboard.press("/")
    page.keyboard.type("a quiet drama")
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.search.includes('q=')")
    page.wait_for_selector("#facet-list input[type=checkbox]")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    tab_to(page, "element.type === 'checkbox' && element.closest('#facet-list')")
    page.keyboard.press("Space")
    page.wait_for_function("() => location.search.includes('where=')")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    tab_to(page, "element.classList.contains('card')")
    page.keyboard.press("w")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.closest('.card') !== null")
    tab_to(page, "element.textContent === 'Generate'")
    page.keyboard.press("Enter")
    page.wait_for_selector("#playlist .entry")
    tab_to(page, "element.textContent.startsWith('export')")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    with page.expect_download():
        page.keyboard.press("Enter")
    page.keyboard.press("/")
    tab_to(page, "element.getAttribute('aria-label')?.startsWith('Remove “')")
    page.keyboard.press("Enter")
    page.wait_for_function("() => !location.search.includes('q=')")
    tab_to(page, "element.id === 'undo'")
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.search.includes('q=')")
