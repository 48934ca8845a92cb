"""The page, driven as people use it: with words, pointer and keys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

AXE = Path(__file__).parent / ".axe" / "axe.min.js"
SHOTS = Path(__file__).parent / ".shots"


def cards(page):
    """Ids of the answers that are shown, in order."""
    return page.locator("#cards .card:not(.skeleton)").evaluate_all("all => all.map((card) => card.dataset.key)")


def ask(page, text):
    """Say something and wait for answers."""
    page.fill("#ask-box", text)
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#ask-box').value === ''")
    settled(page)


def settled(page):
    """Wait until no request is under way and the answers are drawn."""
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    page.wait_for_selector("#cards .card:not(.skeleton), #notice .note", state="attached")


def chips(page):
    """Texts of the chips."""
    return page.locator("#chips .chip > span").all_text_contents()


def test_a_conversation(open_page):
    """Words give answers; a sentence steers them; every step is a chip, and the address holds them all."""
    page = open_page()
    page.wait_for_selector(".talk")
    ask(page, "a quiet drama")
    first = cards(page)
    assert len(first) == 20
    assert chips(page) == ["“a quiet drama”"]
    ask(page, "newer")
    assert any("year" in chip for chip in chips(page))
    ask(page, "more like the second one")
    assert page.locator("#chips .chip b", has_text="more like").count() == 1
    page.reload()
    settled(page)
    assert len(chips(page)) == 3


def test_no_files_are_offered_where_nothing_reads_them(open_page):
    """The buttons for pictures and sounds are there only where the space accepts such requests."""
    page = open_page()
    page.wait_for_selector(".talk")
    assert not page.locator("#pick-image").is_visible()
    assert not page.locator("#pick-audio").is_visible()


def test_the_back_button_and_the_address(open_page):
    """The address can be shared, and going back restores the request before."""
    page = open_page("/?q=drama&where=year%3E%3D1980")
    settled(page)
    before = cards(page)
    assert len(chips(page)) == 2
    page.locator("#cards .card").nth(1).locator("[data-tool=more]").click()
    page.wait_for_function("() => location.search.includes('like=')")
    # The address changes before the answer comes: wait for the answer itself.
    page.wait_for_function(
        "ids => JSON.stringify([...document.querySelectorAll('#cards .card')].map(c => c.dataset.key)) !== ids",
        arg=_json(before),
    )
    settled(page)
    assert cards(page) != before
    page.go_back()
    page.wait_for_function("() => !location.search.includes('like=')")
    settled(page)
    page.wait_for_function(
        "ids => JSON.stringify([...document.querySelectorAll('#cards .card')].map(c => c.dataset.key)) === ids",
        arg=_json(before),
    )


def _json(values):
    return "[" + ",".join(f'"{value}"' for value in values) + "]"


def test_more_less_and_the_mix(open_page):
    """A liked item leaves the answers and becomes a chip; the slider appears where words and likes meet."""
    page = open_page("/?q=drama")
    settled(page)
    liked = cards(page)[0]
    page.locator(f'.card[data-key="{liked}"] [data-tool=more]').click()
    page.wait_for_selector(f'.card[data-key="{liked}"]', state="detached")
    settled(page)
    disliked = cards(page)[0]
    page.locator(f'.card[data-key="{disliked}"] [data-tool=less]').click()
    page.wait_for_selector(f'.card[data-key="{disliked}"]', state="detached")
    assert page.locator("#mix-box").is_visible()
    words = cards(page)
    with page.expect_response("**/v1/search"):
        page.locator("#mix").fill("0")
    page.wait_for_function("() => location.search.includes('mix=0')")
    settled(page)
    page.wait_for_timeout(100)
    assert cards(page) != words
    page.locator("#clear").click()
    page.wait_for_selector(".talk")


def test_facets_filter_and_never_dead_end(open_page):
    """A ticked value filters; filters that leave nothing offer to loosen one, and that brings answers back."""
    page = open_page("/?q=drama&where=genres+any+'drama'")
    settled(page)
    page.wait_for_selector("#facet-list .facet")
    box = page.get_by_role("checkbox", name=re.compile("comedy"))
    box.first.check()
    page.wait_for_function("() => decodeURIComponent(location.search).includes('comedy')")
    page.goto(page.url.split("?")[0] + "?q=drama&where=year%3E%3D3000&where=genres+any+%27drama%27")
    page.wait_for_selector("#notice .choices button")
    page.locator("#notice .choices button").first.click()
    page.wait_for_selector("#cards .card")
    assert "3000" not in page.url


def test_why(open_page):
    """One glance on the card, one click deeper: the reason is there at once, places in each modality when they come."""
    page = open_page("/?q=drama")
    settled(page)
    bar = page.locator("#cards .card").first.locator(".whybar")
    assert "Why:" in bar.get_attribute("aria-label")
    held = []

    def hold(route):
        held.append(route)

    page.route("**/v1/why", hold)
    bar.click()
    assert page.locator("dialog .shares > div").count() >= 2
    assert "Answer 1." in page.locator("dialog").text_content()
    assert (
        page.locator("dialog .shares small").all_text_contents() == [""] * page.locator("dialog .shares > div").count()
    )
    page.wait_for_timeout(50)
    held[0].continue_()
    page.wait_for_selector("dialog .shares small:text('place')")
    assert page.locator("dialog h2").text_content() == page.locator("#cards .card h3").first.text_content()
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()


@pytest.mark.parametrize("width", [360, 1440])
def test_pictures_in_the_reason_keep_their_shape(open_page, width):
    """A poster is two wide and three high, however long the reason beside it is; nothing is cut off."""
    page = open_page("/?q=drama", viewport={"width": width, "height": 780})
    settled(page)
    page.locator("#cards .card .whybar").first.click()
    page.wait_for_selector("dialog .shares small:text('place')")
    box = page.locator("dialog .dialog-row > .face").bounding_box()
    assert box["height"] / box["width"] == pytest.approx(1.5, abs=0.02)
    assert page.evaluate("() => { const d = document.querySelector('dialog'); return d.scrollWidth <= d.clientWidth }")


def test_what_found_an_answer_has_a_colour_and_a_name_of_its_own(open_page):
    """Each voice has its own colour, the same in every bar, and the legend names it."""
    page = open_page("/?q=a quiet drama&like=film-003")
    settled(page)
    named = page.locator("#legend > span").all_text_contents()
    assert len(named) >= 3
    assert len(set(named)) == len(named)
    colours = page.locator("#legend i").evaluate_all("all => all.map((one) => getComputedStyle(one).backgroundColor)")
    assert len(set(colours)) == len(colours)
    classes = page.locator("#legend i").evaluate_all("all => all.map((one) => one.className)")
    # A share below one in a hundred has no name in the legend, and no bar that anybody could see.
    wide = "all => all.filter((one) => parseFloat(one.style.width) >= 1).map((one) => one.className)"
    bars = page.locator("#cards .bar i").evaluate_all(wide)
    assert set(bars) <= set(classes)


def test_a_card_says_the_kind_before_the_country(open_page):
    """Genres come first on the line of a card, and the year that a title says is not said twice."""
    page = open_page("/?q=drama")
    settled(page)
    genres = page.evaluate(
        """async () => {
            const id = document.querySelector('#cards .card').dataset.key;
            return (await (await fetch(`/v1/items/${encodeURIComponent(id)}`)).json()).fields.genres;
        }"""
    )
    assert page.locator("#cards .card .meta").first.text_content().startswith(genres[0])


def test_the_playlist(open_page):
    """Generate, reorder by keys and by dragging, remove, undo, extend, and export a file."""
    page = open_page("/?q=drama", reduced_motion="reduce")
    settled(page)
    names = lambda: page.locator("#playlist .entry .name").all_text_contents()  # noqa: E731
    page.get_by_role("button", name="Generate").click()
    page.wait_for_selector("#playlist .entry")
    made = names()
    assert len(made) == 12
    page.locator("#playlist .grip").first.focus()
    page.keyboard.press("ArrowDown")
    assert names()[:2] == [made[1], made[0]]
    page.keyboard.press("z")
    assert names() == made
    grip, target = page.locator("#playlist .grip").nth(0), page.locator("#playlist .grip").nth(2)
    start, end = grip.bounding_box(), target.bounding_box()
    page.mouse.move(start["x"] + 5, start["y"] + 10)
    page.mouse.down()
    page.mouse.move(end["x"] + 5, end["y"] + end["height"], steps=6)
    page.mouse.up()
    assert names()[2] == made[0]
    page.locator("#playlist .tail button").first.click()
    assert len(names()) == 11
    page.get_by_role("button", name="extend").click()
    page.wait_for_function("() => document.querySelectorAll('#playlist .entry').length === 16")
    assert len(set(names())) == 16
    page.get_by_role("button", name="export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="M3U8").click()
    assert Path(download.value.path()).read_text().startswith("#EXTM3U")


def test_keys(open_page):
    """The page can be used without a pointer: focus the box, walk the answers, like one, list one."""
    page = open_page("/?q=drama")
    settled(page)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "ask-box"
    page.keyboard.press("Escape")
    page.locator("#cards .card").first.focus()
    ids = cards(page)
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.key") == ids[1]
    page.keyboard.press("l")
    page.wait_for_selector("#playlist .entry")
    page.keyboard.press("+")
    page.wait_for_function("() => location.search.includes('like=')")
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()


def test_the_map(open_page):
    """The map shows every item, hits glow, and a click on a point likes it."""
    page = open_page("/?q=drama&view=map")
    page.wait_for_selector("#atlas canvas")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    page.wait_for_timeout(500)
    lit = page.evaluate(
        """async () => {
            const image = await createImageBitmap(document.querySelector('#atlas canvas'));
            const flat = new OffscreenCanvas(image.width, image.height).getContext('2d');
            flat.drawImage(image, 0, 0);
            const data = flat.getImageData(0, 0, image.width, image.height).data;
            return data.filter((value, at) => at % 4 === 3 && value > 0).length;
        }"""
    )
    assert lit > 300
    spot = page.evaluate(
        """async () => {
            const map = await (await fetch('/v1/map')).json();
            const box = document.querySelector('#atlas canvas').getBoundingClientRect();
            let best = 0;
            const far = (row) => Math.abs(map.y[row] - 40000);
            map.y.forEach((_, row) => { if (far(row) < far(best)) best = row; });
            return [map.item_ids[best], box.left + map.x[best] / 65535 * box.width,
                box.top + map.y[best] / 65535 * box.height];
        }"""
    )
    page.mouse.click(spot[1], spot[2])
    page.wait_for_function("() => location.search.includes('like=')")


def test_errors_are_said(open_page):
    """Where the service fails, the page says so and offers to try again; that works once it is back."""
    page = open_page()
    page.wait_for_selector(".talk")
    page.route("**/v1/search", lambda route: route.abort())
    page.fill("#ask-box", "a quiet drama")
    page.keyboard.press("Enter")
    page.wait_for_selector("#notice .bad")
    assert "cannot be reached" in page.locator("#notice").text_content()
    page.unroute("**/v1/search")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("#cards .card:not(.skeleton)")


def test_a_late_answer_does_not_overwrite_a_newer_one(open_page):
    """An answer that comes after a newer request was sent is dropped."""
    page = open_page()
    page.wait_for_selector(".talk")
    held = []
    page.route(
        "**/v1/search", lambda route: held.append(route) if "slow one" in route.request.post_data else route.continue_()
    )
    page.evaluate("import('/static/js/state.js').then((state) => state.set({ text: 'the slow one' }))")
    page.wait_for_function("() => location.search.includes('slow')")
    page.evaluate("import('/static/js/state.js').then((state) => state.set({ text: 'space robots' }))")
    page.wait_for_selector("#cards .card:not(.skeleton)")
    shown = cards(page)
    for route in held:
        try:
            route.continue_()
        except Exception:  # noqa: BLE001  the page has given the request up
            continue
    page.wait_for_timeout(400)
    assert cards(page) == shown


def test_text_of_the_catalog_is_never_markup(open_page):
    """Titles and fields with markup are shown as they are written."""
    page = open_page()
    page.wait_for_selector(".talk")
    evil = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>'

    def twisted(route):
        answer = route.fetch()
        found = answer.json()
        for hit in found["hits"]:
            hit["title"] = evil
            hit["fields"] = {name: [evil] if isinstance(value, list) else evil for name, value in hit["fields"].items()}
        route.fulfill(response=answer, json=found)

    page.route("**/v1/search", twisted)
    ask(page, "a quiet drama")
    assert page.locator("#cards .card h3").first.text_content() == evil
    assert page.evaluate("window.broken") is None


def click(selector):
    """A step that clicks."""
    return lambda page: page.locator(selector).first.click()


def key(name):
    """A step that presses a key where the first answer has the focus."""

    def step(page):
        page.locator("#cards .card").first.focus()
        page.keyboard.press(name)

    return step


def typed(text):
    """A step that types without sending."""

    def step(page):
        page.locator("#ask-box").press_sequentially(text, delay=5)
        page.wait_for_selector("#ask-titles li, #how span")

    return step


def failing(page):
    """A step after which the service does not answer."""
    page.route("**/v1/search", lambda route: route.abort())
    page.fill("#ask-box", "a quiet comedy")
    page.keyboard.press("Enter")
    page.wait_for_selector("#notice .bad")


def drawn_in(panel):
    """A step that opens a panel where it is drawn in from a side."""

    def step(page):
        button = page.locator(f".docks [data-open={panel}]")
        if button.is_visible():
            button.click()
            page.wait_for_selector(f"#{panel}.open")

    return step


STATES = {
    "welcome": ("/", None),
    "answers": ("/?q=drama", None),
    "everything": ("/?q=drama&like=film-003&dislike=film-004&less=war&more=quiet&where=year%3E%3D1980&literal=x", None),
    "filters alone": ("/?where=year%3E%3D1980", None),
    "nothing passes": ("/?q=drama&where=year%3E%3D3000&where=genres+any+'drama'", None),
    "map": ("/?q=drama&view=map", None),
    "typing": ("/?q=drama", typed("film")),
    "a new request": ("/?q=drama", lambda page: ask(page, "space robots")),
    "editing": ("/?q=drama", click("#chips .edit")),
    "why": ("/?q=drama&like=film-003", click("#cards .whybar")),
    "help": ("/?q=drama", key("?")),
    "api": ("/?q=drama", click("#open-api")),
    "playlist": ("/?q=drama", key("l")),
    "filters drawn in": ("/?q=drama", drawn_in("facets")),
    "playlist drawn in": ("/?q=drama", drawn_in("playlist")),
    "no answer": ("/", failing),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_nothing(open_page, width, scheme):
    """The checker of accessibility finds nothing at all in any state, on phones and desks, light and dark."""
    if not AXE.is_file():
        pytest.skip("NO AXE-CORE: accessibility is not tested. Get it with scripts/install-browser")
    look = {"color_scheme": scheme, "bypass_csp": True, "reduced_motion": "reduce"}
    page = open_page("/", viewport={"width": width, "height": 780}, **look)
    home, found = page.url.rstrip("/"), {}
    for name, (path, step) in STATES.items():
        page.evaluate("sessionStorage.clear()")
        page.goto(home + path)
        page.wait_for_selector("#cards[aria-busy=false]", state="attached")
        page.wait_for_selector("#cards .card:not(.skeleton), #notice .note", state="attached")
        if step:
            step(page)
        page.wait_for_timeout(100)
        page.add_script_tag(path=str(AXE))
        wrong = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
        found |= {(name, one["id"]): [node["target"] for node in one["nodes"]][:3] for one in wrong}
        page.unroute_all()
    assert not found


def test_panels_that_are_drawn_in_take_the_focus_and_give_it_back(open_page):
    """On a phone the keyboard goes into the panel that was opened; Escape closes it and goes back to its button."""
    page = open_page("/?q=drama", viewport={"width": 360, "height": 780}, reduced_motion="reduce")
    settled(page)
    page.locator(".docks [data-open=facets]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#facets.open")
    assert page.evaluate("document.activeElement.closest('#facets') !== null")
    page.keyboard.press("Escape")
    page.wait_for_selector("#facets:not(.open)", state="attached")
    assert page.evaluate("document.activeElement.dataset.open") == "facets"


def test_the_map_answers_to_keys(open_page):
    """With the focus on the map, the item in its middle is named, and Enter likes it."""
    page = open_page("/?q=drama&view=map")
    page.wait_for_selector("#atlas canvas")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    page.locator("#atlas .bar-top button").last.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "CANVAS"
    page.keyboard.press("+")
    page.wait_for_selector("#atlas .tip")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    named = page.locator("#atlas .tip").text_content()
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.search.includes('like=')")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    liked = page.locator("#chips .chip", has_text="more like").locator("> span").text_content()
    assert named.startswith(liked)


def test_the_lasso_answers_to_keys(open_page):
    """With the lasso on, Enter takes the items in the frame that is drawn in the middle of the map."""
    page = open_page("/?q=drama&view=map")
    page.wait_for_selector("#atlas canvas")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    page.locator("#atlas .bar-top button", has_text="lasso").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "CANVAS"
    assert len(page.locator("#atlas svg polyline").get_attribute("points").split()) == 5
    page.keyboard.press("Enter")
    page.wait_for_function("() => new URLSearchParams(location.search).getAll('like').length > 0")
    page.keyboard.press("Shift+Tab")
    assert page.locator("#atlas svg polyline").get_attribute("points") == ""


@pytest.mark.parametrize("width", [360, 768, 1360])
def test_no_width_needs_sideways_scrolling(open_page, width):
    """At phone, tablet and desk width nothing sticks out; the panels can be opened where they are hidden."""
    page = open_page("/?q=drama&like=film-003", viewport={"width": width, "height": 780})
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width < 760:
        page.locator(".docks [data-open=facets]").click()
        page.wait_for_selector("#facets.open .facet")
        page.locator("#facets [data-close]").click()
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"page-{width}.png")
