"""Every page in a browser: wide and narrow, light and dark; the slider by keyboard and without JavaScript."""

import json
from urllib.parse import urlsplit

import pytest
from axe_core_python.selenium import Axe
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

READY = """
const done = arguments[arguments.length - 1];
const formulas = window.MathJax?.startup?.promise ?? Promise.resolve();
const enough = new Promise(resolve => setTimeout(resolve, 8000));  // a formula that fails shows in the log
Promise.race([formulas, enough]).catch(() => null).then(() => requestAnimationFrame(() => {
  document.getAnimations().forEach(animation => animation.finish());  // colours fade in
  done(document.documentElement.dataset.theme);
}));
"""
NAMES = {"label-content-name-mismatch": {"enabled": True}}
NO_CONTRAST = {"color-contrast": {"enabled": False}}
# Contrast takes most of the time. It is measured in the wide window, in both themes; every other rule at
# both widths, in one theme. Axe takes its options as JavaScript.
AXE = {
    (1280, "light"): {"rules": NAMES},
    (1280, "dark"): {"runOnly": ["color-contrast"]},
    (390, "light"): {"rules": NAMES | NO_CONTRAST},
}
OVERFLOW = """
const page = document.scrollingElement;
return page.scrollWidth - page.clientWidth;
"""


def show(browser, url: str, *, width: int = 1280, theme: str = "light") -> None:
    """Load a page in a window of this width, on a system with this theme, and wait for its formulas."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    scheme = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(url)
    assert browser.execute_async_script(READY) == theme


def requested(browser) -> list[str]:
    """Every address that the page asked for, also in vain."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [event["request"]["url"] for event in sent]


def violations(browser, options: dict) -> list[str]:
    """What axe-core finds wrong, element by element."""
    found = Axe().run(browser, options=json.dumps(options | {"resultTypes": ["violations"]}))["violations"]
    return [f"{v['id']}: {node['html'][:200]} {node['failureSummary']}" for v in found for node in v["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_page_is_sound(any_page, width, theme, browser, address):
    show(browser, address + any_page, width=width, theme=theme)
    assert [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
    hosts = {urlsplit(url).netloc for url in requested(browser)}
    assert hosts <= {"", urlsplit(address).netloc}
    assert browser.execute_script(OVERFLOW) <= 1, "the page scrolls sideways"
    if options := AXE.get((width, theme)):
        assert violations(browser, options) == []


@pytest.fixture
def slider(browser, address, pages, soup):
    """The first slider of the book, on its page."""
    page = next((page for page in pages if soup(page).find("figure", class_="tl-frames")), None)
    assert page, "no page has a slider"
    show(browser, address + page)
    return browser.find_element(By.CSS_SELECTOR, "figure.tl-frames")


def visible_frames(slider) -> list[str]:
    """The labels of the frames that are seen."""
    frames = slider.find_elements(By.CSS_SELECTOR, ".tl-stage > div")
    return [frame.get_attribute("data-label") for frame in frames if frame.is_displayed()]


def test_slider_moves_by_arrow_key(browser, slider):
    handle = slider.find_element(By.CSS_SELECTOR, "input[type=range]")
    browser.execute_script("arguments[0].focus()", slider.find_element(By.TAG_NAME, "button"))
    ActionChains(browser).send_keys(Keys.TAB).perform()
    assert browser.switch_to.active_element == handle
    ActionChains(browser).send_keys(Keys.HOME).perform()
    before = visible_frames(slider)
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
    after = visible_frames(slider)
    assert len(before) == len(after) == 1
    assert before != after == [handle.get_attribute("aria-valuetext")]


def test_slider_plays_by_enter(browser, slider):
    handle, button = (slider.find_element(By.TAG_NAME, name) for name in ("input", "button"))
    browser.execute_script("arguments[0].value = 0; arguments[1].focus()", handle, button)
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    assert button.text == "Pause"
    WebDriverWait(browser, 5).until(lambda _: int(handle.get_property("value")) > 0)
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    assert button.text == "Play"


def test_slider_shows_all_frames_without_javascript(browser, slider):
    count = len(slider.find_elements(By.CSS_SELECTOR, ".tl-stage > div"))
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.refresh()
        still = browser.find_element(By.CSS_SELECTOR, "figure.tl-frames")
        assert len(visible_frames(still)) == count > 1
        assert not still.find_element(By.CSS_SELECTOR, ".tl-bar").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
