"""What the chapters use: figures, sliders, the explorer, ticks, sources, passports."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure
from PIL import Image

from tutorial_lib.attribution.gradients import saliency, seeded, smoothgrad
from tutorial_lib.notebook import panels, plots
from tutorial_lib.notebook.interactive import Explorer, FrameSlider
from tutorial_lib.notebook.laws import law, show_source
from tutorial_lib.notebook.passport import Passport

FRAMES = [np.full((20, 30, 3), v, np.uint8) for v in (0, 120, 255)]


def slider(**changes):
    options = {"name": "step", "alt": "A grey square.", "caption": "Three <greys>", "start": 1}
    return FrameSlider(FRAMES, ["a", "b", "c"], **(options | changes))


def test_slider_holds_every_frame_with_alt_text_and_label():
    html = slider()._repr_html_()
    uris = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", html)
    values = [np.asarray(Image.open(io.BytesIO(base64.b64decode(u)))).mean() for u in uris]
    assert values == pytest.approx([0, 120, 255], abs=2)
    assert html.count("alt='A grey square. step: ") == 3 and "value='1'" in html
    assert "&lt;greys&gt;" in html and "<greys>" not in html
    assert repr(slider()) == "<FrameSlider 'step', 3 frames>"


def test_slider_is_the_same_each_time():
    assert slider()._repr_html_() == slider()._repr_html_()


@pytest.mark.parametrize("start", [-1, 3])
def test_slider_refuses_a_start_outside(start):
    with pytest.raises(ValueError, match="labels"):
        slider(start=start)


def test_slider_refuses_too_few_labels():
    with pytest.raises(ValueError, match="labels"):
        FrameSlider(FRAMES, ["a"], name="n", alt="a", caption="", start=0)


def test_figures_draw_what_they_get():
    image, heat = torch.rand(2, 3, 8, 8), torch.randn(2, 8, 8)
    grid = plots.attribution_grid(image, {"one": heat, "two": heat}, rows=["r", "s"])
    shown = grid.axes[1].images[0].get_array()
    scale = np.quantile(heat[0].abs().numpy(), 0.995)
    assert np.allclose(shown, heat[0].numpy() / scale)
    assert grid.axes[1].images[0].get_clim() == (-1, 1)
    lines = plots.curves(
        {"a": ([1, 2], [3, 4]), "b": ([1, 2], [5, 6])}, xlabel="x", ylabel="y", log="xy", level=(3, "l")
    )
    assert [list(line.get_ydata()) for line in lines.axes[0].lines[:2]] == [[3, 4], [5, 6]]
    assert lines.axes[0].get_xscale() == "log" and isinstance(lines, Figure)


def test_a_plane_has_equal_units_and_names_its_points():
    figure = plots.plane({"l": ([0, 1], [0, 2])}, {"P": (0.5, 1)}, xlabel="x", ylabel="y")
    ax = figure.axes[0]
    assert [list(line.get_ydata()) for line in ax.lines] == [[0, 2], [1]]
    assert ax.get_aspect() == 1 and [text.get_text() for text in ax.texts] == ["P"]


def test_descents_share_one_scale_and_name_their_steps():
    lines = {"one": (["top", "all"], {"a": [1, 0.5], "b": [0.2, 0]}), "two": (["x"], {"a": [3], "b": [1]})}
    left, right = panels.descents(lines, xlabel="x", ylabel="y").axes
    assert [list(line.get_ydata()) for line in left.lines[:2]] == [[1, 0.5], [0.2, 0]]
    assert [label.get_text() for label in left.get_xticklabels()] == ["top", "all"]
    assert left.get_ylim() == right.get_ylim() and right.get_title() == "two"
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["a", "b"]


def test_spots_are_named_and_stand_where_they_should():
    figure = panels.spots({"A": (0.1, 0.8), "B": (1, 0.2)}, xlabel="x", ylabel="y", level=(0.1, "chance"))
    ax = figure.axes[0]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines[:2]] == [(0.1, 0.8), (1, 0.2)]
    assert [text.get_text() for text in ax.texts] == ["A", "B", "chance"]
    assert list(ax.lines[2].get_ydata()) == [0.1, 0.1]


def test_an_all_zero_map_stays_white():
    figure = plots.panel_frame(torch.rand(3, 8, 8), torch.zeros(8, 8), left="l", right="r")
    assert (figure.axes[1].images[0].get_array() == 0).all()


def test_grey_images_are_drawn():
    assert plots.attribution_grid(torch.rand(1, 1, 8, 8), {"m": torch.rand(1, 8, 8)}).axes


def test_map_figures_are_stored_as_jpeg_and_curves_as_png():
    shell = InteractiveShell.instance()
    try:
        import builtins

        builtins.get_ipython = lambda: shell
        plots.use_book_style()
    finally:
        del builtins.get_ipython
    shell.display_formatter.active_types = ["text/plain", "image/png", "image/jpeg"]
    heat = plots.panel_frame(torch.rand(3, 8, 8), torch.rand(8, 8), left="l", right="r")
    line = plots.curves({"a": ([1, 2], [3, 4])}, xlabel="x", ylabel="y")
    assert set(shell.display_formatter.format(heat)[0]) == {"text/plain", "image/jpeg"}
    assert set(shell.display_formatter.format(line)[0]) == {"text/plain", "image/png"}


def test_the_same_figure_has_the_same_bytes():
    one, two = (plots._png(plots.curves({"a": ([1, 2], [3, 4])}, xlabel="x", ylabel="y")) for _ in range(2))
    assert one == two


def test_the_explorer_answers_to_its_controls(lite0, photos):
    def noisy(model, x, target, *, sigma, samples):
        return seeded(smoothgrad, seed=0, attribute=saliency, sigma=sigma, samples=samples)(model, x, target)

    explorer = Explorer(
        lite0,
        photos,
        {
            "saliency": (saliency, {}),
            "SmoothGrad": (noisy, {"sigma": (0.0, 0.5, 0.05, 0.1), "samples": (1, 4, 1, 2)}),
        },
    )
    seen = [(explorer.picture.value, explorer.numbers.value)]
    assert Image.open(io.BytesIO(seen[0][0])).size[0] > 300 and "sum" in seen[0][1]

    def act(control, value):
        control.value = value
        seen.append((explorer.picture.value, explorer.numbers.value))
        assert seen[-1] != seen[-2]

    act(explorer.photo, "rocket")
    assert explorer.target.options[0][0].startswith("missile")
    act(explorer.target, explorer.target.options[3][1])
    act(explorer.method, "SmoothGrad")
    assert [s.description for s in explorer.parameters.children] == ["sigma", "samples"]
    act(explorer.parameters.children[0], 0.3)


def test_a_law_prints_a_tick_or_fails(capsys):
    law("one is one", True)
    assert capsys.readouterr().out == "✓ one is one\n"
    with pytest.raises(AssertionError, match="one is two"):
        law("one is two", False)


def test_show_source_leaves_out_the_docstring():
    text = show_source(saliency).data
    assert text.startswith("```python\ndef saliency(") and "input_gradient(model, x, target).abs()" in text
    assert '"""' not in text


def test_passport_is_readable_and_json():
    bundle = Passport(seed=3)._repr_mimebundle_()
    facts = json.loads(json.dumps(bundle["application/json"]))
    assert facts["seed"] == 3 and facts["peak memory in MB"] > 100 and "torch" in facts
    assert "seed: 3" in bundle["text/plain"]


def test_bumps_draw_the_places_downwards_and_ring_the_best():
    figure = plots.bumps({"p": {"a": [1, 2], "b": [2, 1]}, "q": {"a": [2, 2], "b": [1, 1]}},
                         columns=["x", "y"], level=("chance", {"p": [2.5, 1.5], "q": [2.5, 2.5]}))
    first, second = figure.axes
    drawn = [list(line.get_ydata()) for line in first.lines]
    assert drawn == [[2.5, 1.5], [1, 2], [1], [2, 1], [1]] and first.get_ylim()[0] > first.get_ylim()[1]
    assert [list(line.get_xdata()) for line in second.lines[2::2]] == [[], [0, 1]]
    assert [text.get_text() for text in first.texts] == ["chance", "a", "a", "b", "b"]
