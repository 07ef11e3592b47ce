"""Choosing a method in a browser: by mouse, by keyboard, from an address, from a file, without JavaScript."""

import re

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from test_browser import show, violations

PAGE = "book/choosing.html"
VISIBLE = "return arguments[0].filter(e => e.getClientRects().length).map(e => e.textContent.trim())"


@pytest.fixture
def choosing(browser, address):
    """The page with no requirement chosen."""
    browser.get("about:blank")
    show(browser, address + PAGE)
    return browser


def texts(browser, selector: str) -> list[str]:
    """The texts of the elements that are seen."""
    return browser.execute_script(VISIBLE, browser.find_elements(By.CSS_SELECTOR, selector))


def left(browser) -> list[str]:
    return texts(browser, "#choosing-left th a")


def out(browser) -> list[str]:
    return texts(browser, "#choosing-out tr[id] th a")


def said(browser) -> str:
    """What a screen reader announces."""
    output = browser.find_element(By.CSS_SELECTOR, "#choosing-form [aria-live=polite]")
    assert output.is_displayed()
    return output.text


def note(browser, name: str) -> bool:
    return browser.find_element(By.ID, f"choosing-{name}").is_displayed()


def state(browser) -> str:
    return browser.execute_script("return location.hash")


def control(browser, name: str, value: str):
    return browser.find_element(By.CSS_SELECTOR, f"#choosing-form [name='{name}'][value='{value}']")


def click(browser, name: str, value: str) -> None:
    """By mouse, in the middle of the window; at its lower end stands the line that says what is left."""
    target = control(browser, name, value)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", target)
    target.click()


def opened(browser, address: str, state: str):
    """The page as another reader left it."""
    browser.get("about:blank")
    show(browser, f"{address}{PAGE}#{state}")
    return browser


def verdicts(soup, token: str, name: str) -> dict[str, str]:
    """What the page's rows say of a requirement, read without a browser."""
    found = {}
    for row in soup(PAGE).select("table.choosing tr[id]"):
        div = row.select_one(f"[data-property={name}]")
        lists = {key: div.get(key, "").split() for key in ("data-met", "data-undecided")}
        known = "undecided" if token in lists["data-undecided"] else "not met"
        found[row.th.a.get_text()] = (
            "" if "data-unmeasured" in div.attrs else "met" if token in lists["data-met"] else known
        )
    return found


# By mouse


def test_before_any_answer_all_methods_are_left_and_none_is_first_by_merit(choosing):
    assert len(left(choosing)) == 19 and out(choosing) == []
    assert said(choosing) == "Nothing is asked yet: all 19 methods are left." and state(choosing) == ""
    assert not any(note(choosing, name) for name in ("one", "none", "right"))
    assert texts(choosing, "#choosing-left [data-property]") == []
    order = "The order says nothing about their worth"
    assert order in choosing.find_element(By.TAG_NAME, "article").text


def test_an_answer_by_mouse_leaves_those_that_meet_it_and_says_why_others_fell_out(choosing, soup):
    click(choosing, "purpose", "sum")
    wanted = verdicts(soup, "sum", "sum")
    assert left(choosing) == [name for name in wanted if wanted[name] == "met"]
    assert left(choosing) == ["Integrated gradients", "DeepLIFT (Rescale)"]
    assert said(choosing) == "2 of 19 methods are left: Integrated gradients, DeepLIFT (Rescale)."
    assert state(choosing) == "#purpose=sum"
    for row in choosing.find_elements(By.CSS_SELECTOR, "#choosing-left tr"):
        (evidence,) = [e for e in row.find_elements(By.CSS_SELECTOR, "[data-property]") if e.is_displayed()]
        assert re.search(r"Yes \(gap without biases .*n = 4000\)", evidence.text)
        assert evidence.find_elements(By.CSS_SELECTOR, "a[href^='ledger.html#c']")
    for row in choosing.find_elements(By.CSS_SELECTOR, "#choosing-out tr[id]"):
        (reason,) = [e for e in row.find_elements(By.CSS_SELECTOR, "[data-property]") if e.is_displayed()]
        name = row.find_element(By.CSS_SELECTOR, "th a").text
        assert ("not measured here" in reason.text) == (wanted[name] == "")
        assert ("not met:" in reason.text) == (wanted[name] == "not met")


def test_two_checkboxes_are_two_requirements(choosing, soup):
    click(choosing, "react", "class")
    by_class = left(choosing)
    click(choosing, "react", "labels")
    both, labels = left(choosing), verdicts(soup, "labels", "labels")
    assert both == [name for name in by_class if labels[name] == "met"] == ["Saliency", "Grad-CAM"]
    assert state(choosing) == "#react=class&react=labels"
    smooth = choosing.find_element(By.ID, "m-smoothgrad")
    assert smooth.text.count("undecided:") == 2
    reasons = texts(choosing, "#m-integrated-gradients [data-property]")
    assert len(reasons) == 1 and reasons[0].startswith("Labels not met:")  # the class it does follow


def test_one_map_alone_is_no_evidence(choosing):
    click(choosing, "purpose", "cover")
    assert left(choosing) == ["Occlusion"] and note(choosing, "one") and not note(choosing, "none")
    assert said(choosing) == "1 of 19 methods is left: Occlusion."
    alone = choosing.find_element(By.ID, "choosing-one").text
    assert "One map alone is no evidence" in alone
    assert "second fill" in choosing.find_element(By.CSS_SELECTOR, "#m-occlusion td:last-child").text


def test_sometimes_none_is_left_and_the_page_says_which_answer_to_give_up(choosing):
    click(choosing, "purpose", "sum")
    click(choosing, "baseline", "no-baseline")
    assert left(choosing) == [] and len(out(choosing)) == 19
    assert note(choosing, "none") and not note(choosing, "one")
    assert said(choosing) == "None of 19 methods is left."
    rest = texts(choosing, "#choosing-none li")
    assert len(rest) == 2 and rest[1] == "without “No” (question 4): Integrated gradients, DeepLIFT (Rescale)"
    place = choosing.find_element(By.CSS_SELECTOR, "#choosing-none a")
    place.click()
    heading = choosing.find_element(By.CSS_SELECTOR, "#in-place-of-a-map h2")
    assert 0 <= heading.rect["y"] - choosing.execute_script("return scrollY") < 900
    assert left(choosing) == [] and note(choosing, "none")  # a place on the page is no answer


def test_no_map_says_whether_the_model_is_right(choosing):
    click(choosing, "purpose", "right")
    assert note(choosing, "right") and not note(choosing, "none") and left(choosing) == out(choosing) == []
    assert said(choosing) == "None of 19 methods is left."
    click(choosing, "purpose", "")
    assert not note(choosing, "right") and len(left(choosing)) == 19 and state(choosing) == ""


def test_under_attack_none_is_left(choosing, soup):
    click(choosing, "image", "attack")
    assert left(choosing) == [] and note(choosing, "none")
    measured = [name for name, found in verdicts(soup, "attack", "attack").items() if found]
    reasons = texts(choosing, "#choosing-out [data-property=attack]")
    assert sum("not met" in reason for reason in reasons) == len(measured) >= 5


def test_start_again_by_mouse(choosing):
    click(choosing, "place", "region")
    assert len(left(choosing)) == 2
    choosing.find_element(By.CSS_SELECTOR, "#choosing-form button").click()
    WebDriverWait(choosing, 5).until(lambda page: state(page) == "")
    assert len(left(choosing)) == 19
    assert control(choosing, "place", "").is_selected()


# By keyboard


def press(browser, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def test_every_answer_can_be_given_by_keyboard(choosing):
    """Tab leads from group to group, arrows choose within one, space ticks a box, Enter starts again."""
    first = control(choosing, "purpose", "")
    choosing.execute_script("arguments[0].focus()", first)
    press(choosing, Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert control(choosing, "purpose", "cover").is_selected() and left(choosing) == ["Occlusion"]
    press(choosing, Keys.ARROW_UP)
    assert control(choosing, "purpose", "sum").is_selected() and len(left(choosing)) == 2
    press(choosing, Keys.ARROW_UP, Keys.TAB, Keys.SPACE)
    assert choosing.switch_to.active_element == control(choosing, "react", "class")
    assert control(choosing, "react", "class").is_selected()
    press(choosing, Keys.TAB, Keys.SPACE, Keys.TAB)
    assert choosing.switch_to.active_element == control(choosing, "model", "")
    for name in ("baseline", "passes", "place", "image"):
        press(choosing, Keys.TAB)
        assert choosing.switch_to.active_element == control(choosing, name, "")
    press(choosing, Keys.ARROW_DOWN)
    assert state(choosing) == "#react=class&react=labels&image=calm"
    assert left(choosing) == ["Saliency", "Grad-CAM"]
    press(choosing, Keys.TAB, Keys.ENTER)
    WebDriverWait(choosing, 5).until(lambda page: state(page) == "")
    assert len(left(choosing)) == 19


def test_the_focus_is_seen(choosing):
    for control_ in ("input[name=react]", "button"):
        element = choosing.find_element(By.CSS_SELECTOR, f"#choosing-form {control_}")
        choosing.execute_script("arguments[0].focus({focusVisible: true})", element)
        assert float(element.value_of_css_property("outline-width").removesuffix("px")) >= 2
        assert element.value_of_css_property("outline-style") == "solid"


@pytest.mark.parametrize("width", [1280, 390])
def test_what_has_the_focus_is_not_under_the_line_that_says_what_is_left(width, browser, address):
    browser.get("about:blank")
    show(browser, f"{address}{PAGE}#react=class", width=width)
    browser.execute_script("document.querySelector('#choosing-form input').focus()")
    on_top = """const box = document.activeElement.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return [document.activeElement.tagName, document.activeElement.contains(top)];"""
    for _ in range(9):  # seven groups, one of them with two boxes, and the button
        assert browser.execute_script(on_top)[1]
        tag = browser.execute_script(on_top)[0]
        press(browser, Keys.TAB)
    assert tag == "BUTTON"


def test_each_group_of_answers_has_a_name(choosing):
    groups = choosing.find_elements(By.CSS_SELECTOR, "#choosing-form fieldset")
    assert len(groups) == 7
    for number, group in enumerate(groups, 1):
        assert group.accessible_name.startswith(f"{number}. ") and group.accessible_name.endswith("?")
        for field in group.find_elements(By.TAG_NAME, "input"):
            assert field.accessible_name == field.find_element(By.XPATH, "..").text.strip()


@pytest.mark.parametrize("kept", ["purpose=sum", "purpose=sum&baseline=no-baseline", "purpose=cover"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_answered_page_has_no_accessibility_fault(kept, theme, browser, address):
    browser.get("about:blank")
    show(browser, f"{address}{PAGE}#{kept}", theme=theme)
    assert violations(browser, {}) == []


# Addresses


def test_an_address_restores_its_answers(browser, address):
    opened(browser, address, "react=class&place=region&passes=passes-2")
    assert left(browser) == ["Grad-CAM"] and note(browser, "one")
    for name, value in (("react", "class"), ("place", "region"), ("passes", "passes-2"), ("purpose", "")):
        assert control(browser, name, value).is_selected()
    browser.execute_script("location.hash = 'model=outputs'")
    assert left(browser) == ["Occlusion", "RISE", "LIME"]
    assert not control(browser, "react", "class").is_selected()


@pytest.mark.parametrize("bad", [
    "purpose=nonsense&color=red", "=&&=", "%%%=%", "purpose=<b>", "react=&react=all", "in-place-of-a-map",
])  # fmt: skip
def test_an_address_that_makes_no_sense_is_ignored(bad, browser, address):
    opened(browser, address, bad)
    assert len(left(browser)) == 19 and said(browser).startswith("Nothing is asked yet")
    assert all(control(browser, name, "").is_selected() for name in ("purpose", "model", "baseline"))
    assert [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def test_the_page_works_from_a_file(browser, site):
    browser.get("about:blank")
    browser.get((site / PAGE).as_uri() + "#purpose=cover")
    assert left(browser) == ["Occlusion"]
    click(browser, "purpose", "sum")
    assert left(browser) == ["Integrated gradients", "DeepLIFT (Rescale)"]


# Without JavaScript, and on a phone


def test_without_javascript_the_table_stands_there_to_be_read(choosing, soup):
    choosing.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        choosing.refresh()
        assert not choosing.find_element(By.ID, "choosing-form").is_displayed()
        rows = choosing.find_elements(By.CSS_SELECTOR, "#choosing-left tr")
        assert len(rows) == 19 and all(row.is_displayed() for row in rows)
        evidence = choosing.find_elements(By.CSS_SELECTOR, "#choosing-left [data-property]")
        assert all(each.is_displayed() for each in evidence) and len(evidence) == 19 * 11
        assert not choosing.find_element(By.ID, "choosing-out").is_displayed()
        assert choosing.find_element(By.CSS_SELECTOR, "table.choosing-lines").is_displayed()
    finally:
        choosing.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_on_a_phone_the_answered_page_does_not_scroll_sideways(browser, address):
    browser.get("about:blank")
    show(browser, f"{address}{PAGE}#react=class&react=labels", width=390)
    page = "const p = document.scrollingElement; return p.scrollWidth - p.clientWidth"
    assert browser.execute_script(page) <= 1
    assert left(browser) == ["Saliency", "Grad-CAM"]
    target = control(browser, "react", "labels").find_element(By.XPATH, "..").rect
    assert target["height"] >= 24 and target["width"] > 200  # large enough for a finger
