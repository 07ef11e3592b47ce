"""The filter of the ledger in a browser: by mouse, by keyboard, from an address, and without JavaScript."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_browser import show

PAGE = "book/ledger.html"


@pytest.fixture
def ledger(browser, address):
    """The page with all its rows."""
    browser.get("about:blank")
    show(browser, address + PAGE)
    return browser


def rows(browser) -> list:
    return browser.find_elements(By.CSS_SELECTOR, "table.ledger tbody tr")


def visible(browser) -> list:
    """The `data-` values of the rows that are seen, with their ids."""
    script = "return arguments[0].filter(r => r.getClientRects().length).map(r => ({id: r.id, ...r.dataset}))"
    return browser.execute_script(script, rows(browser))


def field(browser, name: str):
    return browser.find_element(By.CSS_SELECTOR, f"#ledger-filter [name={name}]")


def said(browser) -> str:
    """What a screen reader announces."""
    output = browser.find_element(By.CSS_SELECTOR, "#ledger-filter [aria-live=polite]")
    assert output.is_displayed()
    return output.text


def state(browser) -> str:
    return browser.execute_script("return location.hash")


def test_at_first_every_item_is_seen(ledger):
    assert len(visible(ledger)) == len(rows(ledger)) == 160
    assert said(ledger) == "160 of 160 items shown" and state(ledger) == ""


def test_filter_by_mouse(ledger):
    field(ledger, "verdict").find_element(By.CSS_SELECTOR, "option[value='does not hold']").click()
    field(ledger, "source").find_element(By.CSS_SELECTOR, "option[value=paper]").click()
    seen = visible(ledger)
    assert {(row["verdict"], row["source"]) for row in seen} == {("does not hold", "paper")}
    assert said(ledger) == f"{len(seen)} of 160 items shown" and 0 < len(seen) < 160
    assert state(ledger) == "#source=paper&verdict=does+not+hold"
    button = ledger.find_element(By.CSS_SELECTOR, "#ledger-filter button")
    ActionChains(ledger).move_to_element(button).click().perform()
    assert len(visible(ledger)) == 160 and state(ledger) == ""
    assert field(ledger, "verdict").get_property("value") == ""


def test_filter_by_keyboard(ledger):
    ledger.execute_script("arguments[0].focus()", field(ledger, "chapter"))
    for name in ("chapter", "kind", "source", "verdict", "words"):
        assert ledger.switch_to.active_element == field(ledger, name)
        if name == "kind":
            ActionChains(ledger).send_keys("emp").perform()
        if name != "words":
            ActionChains(ledger).send_keys(Keys.TAB).perform()
    assert {row["kind"] for row in visible(ledger)} == {"empirical"}
    before = len(visible(ledger))
    ActionChains(ledger).send_keys("NOISE maps", Keys.ENTER).perform()
    seen = visible(ledger)
    assert 0 < len(seen) < before and said(ledger) == f"{len(seen)} of 160 items shown"
    for row in seen:
        text = ledger.find_element(By.ID, row["id"]).get_property("textContent").lower()
        assert "noise" in text and "maps" in text
    assert state(ledger) == "#kind=empirical&words=NOISE+maps"
    ActionChains(ledger).send_keys(Keys.TAB, Keys.ENTER).perform()
    assert len(visible(ledger)) == 160


def test_an_address_restores_its_view(browser, address):
    browser.get("about:blank")
    show(browser, address + PAGE + "#chapter=11&verdict=holds&words=grad-cam")
    seen = visible(browser)
    assert {(row["chapter"], row["verdict"]) for row in seen} == {("11", "holds")}
    assert said(browser) == f"{len(seen)} of 160 items shown" and 0 < len(seen) < 35
    assert [field(browser, n).get_property("value") for n in ("chapter", "verdict", "words")] == [
        "11", "holds", "grad-cam",
    ]  # fmt: skip
    browser.execute_script("location.hash = 'verdict=nonsense'")
    assert len(visible(browser)) == 160


def test_a_row_that_was_filtered_away_is_shown_when_its_address_is_asked_for(browser, address):
    browser.get("about:blank")
    show(browser, address + PAGE + "#verdict=implemented")
    row = browser.find_element(By.ID, "c105")
    assert not row.is_displayed()
    top = "return document.getElementById('c105').getBoundingClientRect().top"
    done = "window.addEventListener('hashchange', () => setTimeout(arguments[0])); location.hash = 'c105'"
    browser.execute_async_script(done)
    assert row.is_displayed() and 0 <= browser.execute_script(top) < 900


def test_card_and_row_lead_to_each_other(ledger, address):
    link = ledger.find_element(By.CSS_SELECTOR, "#c17 th a")
    chapter = link.get_attribute("href")
    show(ledger, chapter)
    card = ledger.find_element(By.CSS_SELECTOR, f"#{chapter.split('#')[1]} .claim")
    assert card.is_displayed()
    back = card.find_element(By.LINK_TEXT, "C17 in the ledger")
    assert back.get_attribute("href") == f"{address}{PAGE}#c17"


def test_every_card_of_a_chapter_has_its_link(chapter, browser, address, soup):
    cards = soup(chapter).select(".claim strong")
    if not cards:
        return
    show(browser, address + chapter)
    links = [a.get_attribute("href") for a in browser.find_elements(By.CSS_SELECTOR, ".claim a.claim-ledger")]
    ids = [card.get_text().split(" · ")[0].lower() for card in cards]
    assert links == [f"{address}{PAGE}#{name}" for name in ids]
    assert all(soup(PAGE).find(id=name) for name in ids)


def test_without_javascript_the_whole_table_is_there(ledger):
    ledger.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        ledger.refresh()
        assert all(row.is_displayed() for row in rows(ledger)) and len(rows(ledger)) == 160
        assert not ledger.find_element(By.ID, "ledger-filter").is_displayed()
    finally:
        ledger.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("name", ["ledger.json", "ledger.csv"])
def test_the_data_can_be_fetched(name, site, soup):
    assert [a["href"] for a in soup(PAGE).select("a[download]")].count(f"../{name}") == 1
    assert (site / name).read_bytes() == (site.parents[1] / "book" / name).read_bytes()
