"""The cheat sheet on paper: one sheet, nothing cut off, large enough to read."""

import base64
import re

import pytest
from test_browser import show

PAGE = "book/cheat_sheet.html"
PAPER = {"width": round(283 / 25.4 * 96), "height": round(198 / 25.4 * 96)}  # A4 across, less its margins
BOXES = """
const clipped = [...document.querySelectorAll(".cheat-sheet :is(th, td), .cheat-legend")].filter((cell) => {
  const box = cell.getBoundingClientRect();
  return box.left < -1 || box.right > innerWidth + 1 || cell.scrollWidth > cell.clientWidth + 1;
});
return clipped.map((cell) => cell.textContent);
"""


@pytest.fixture
def printed(browser, address):
    """The page as it is printed; afterwards the window is a screen again."""
    browser.get("about:blank")
    show(browser, address + PAGE)
    yield browser
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_it_is_one_sheet_across(printed):
    made = printed.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": True})
    pdf = base64.b64decode(made["data"])
    boxes = re.findall(rb"/MediaBox\s*\[([\d. ]+)\]", pdf)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == len(boxes) == 1
    _, _, width, height = map(float, boxes[0].split())
    assert (width, height) == pytest.approx((842, 595), abs=1)  # A4 in points


def test_nothing_is_cut_off_and_the_smallest_words_can_be_read(printed):
    printed.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    size = {**PAPER, "deviceScaleFactor": 1, "mobile": False}
    printed.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert printed.execute_script(BOXES) == []
    sizes = "return [...document.querySelectorAll('.cheat-sheet *, .cheat-legend')].map(" \
            "e => parseFloat(getComputedStyle(e).fontSize))"
    points = [0.75 * size for size in printed.execute_script(sizes)]
    assert min(points) > 5.3 and sorted(points)[len(points) // 2] > 6  # a footnote has 6 to 8
    end = "return document.querySelector('.cheat-legend').getBoundingClientRect().bottom"
    height = printed.execute_script(end)
    assert 0.8 * PAPER["height"] < height < 0.98 * PAPER["height"]  # other fonts are a little larger


def test_only_the_sheet_is_printed(printed):
    printed.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    seen = "return [...document.querySelectorAll(arguments[0])].filter(e => e.getClientRects().length).length"
    for around in ("nav", "header", "footer", "section > p:not(.cheat-legend)", "h1", ".bd-sidebar-primary"):
        assert printed.execute_script(seen, around) == 0, around
    assert printed.execute_script(seen, ".cheat-sheet tbody tr") == 20


def test_every_cell_says_on_a_narrow_page_what_it_is(soup):
    heads = [head.find(string=True) for head in soup(PAGE).select(".cheat-sheet thead th")]
    for row in soup(PAGE).select(".cheat-sheet tbody tr"):
        labels = [cell.get("data-label") for cell in row.select("td")]
        assert labels == [None, *heads[2:]]
