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
from tutorial_lib.notebook import plots
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
