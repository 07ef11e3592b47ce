"""Figures that move: a slider that lives in the page, and an explorer for readers with a kernel."""
import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets
import numpy as np
import torch
from PIL import Image

from tutorial_lib.attribution.pixels import max_over_colour, sum_over_colour
from tutorial_lib.datasets import Photographs
from tutorial_lib.models.zoo import imagenet_classes
from tutorial_lib.notebook.plots import panel_frame, pixels_of
from tutorial_lib.scores import predict

_CSS = """
.tl-frames{margin:1rem 0;max-width:100%;color:inherit}
.tl-frames .tl-stage{display:flex;flex-wrap:wrap;gap:.75rem}
.tl-frames .tl-stage[data-on]>div[hidden]{display:none}
.tl-frames .tl-stage[data-on] .tl-label{display:none}
.tl-frames img{display:block;max-width:100%;height:auto;background:#fff}
.tl-frames .tl-bar{display:flex;flex-wrap:wrap;gap:.75rem;align-items:center;margin:.5rem 0}
.tl-frames .tl-bar[hidden]{display:none}
.tl-frames input[type=range]{width:min(20rem,60vw);min-height:24px;vertical-align:middle}
.tl-frames button{min-width:4.5rem;min-height:28px;font:inherit}
.tl-frames output{font-variant-numeric:tabular-nums}
"""

# JupyterLab listens for arrow keys on the whole document, so the bar keeps them to itself.
_JS = """
document.querySelectorAll('figure.tl-frames:not([data-ready])').forEach(function(figure){
figure.dataset.ready='1';
var stage=figure.querySelector('.tl-stage'),frames=Array.from(stage.children),
bar=figure.querySelector('.tl-bar'),input=bar.querySelector('input'),
output=bar.querySelector('output'),button=bar.querySelector('button'),timer=null;
function show(i){frames.forEach(function(frame,k){frame.hidden=k!==i});
var label=frames[i].dataset.label;output.textContent=label;input.setAttribute('aria-valuetext',label)}
function stop(){clearInterval(timer);timer=null;button.textContent='Play'}
input.addEventListener('input',function(){stop();show(+input.value)});
bar.addEventListener('keydown',function(event){
if(/^(Arrow|Home|End|Page|Enter$| $)/.test(event.key))event.stopPropagation()});
button.addEventListener('click',function(){if(timer){stop();return}
if(+input.value>=frames.length-1)input.value=0;show(+input.value);button.textContent='Pause';
timer=setInterval(function(){if(!figure.isConnected||+input.value>=frames.length-1){stop();return}
input.value=+input.value+1;show(+input.value)},700)});
stage.dataset.on='1';bar.hidden=false;show(+input.value)});
"""


class FrameSlider:
    """Frames stepped by a native slider: no kernel, no library; without JavaScript all are shown.

    `frames` are arrays (H, W, 3) of bytes, one label each; `alt` says what is seen, `name` what moves.
    """

    def __init__(
        self, frames: Sequence[np.ndarray], labels: Sequence[str], *,
        name: str, alt: str, caption: str, start: int,
    ):
        if len(frames) != len(labels) or not 0 <= start < len(frames):
            raise ValueError(f"{len(frames)} frames need as many labels and a start among them")
        self.frames, self.labels = [_jpeg_uri(frame) for frame in frames], list(labels)
        self.size = frames[0].shape[1], frames[0].shape[0]
        self.name, self.alt, self.caption, self.start = name, alt, caption, start

    def __repr__(self) -> str:
        return f"<FrameSlider {self.name!r}, {len(self.frames)} frames>"

    def _repr_html_(self) -> str:
        width, height = self.size
        cells = "".join(
            f"<div data-label='{html.escape(label, quote=True)}'>"
            f'<img src="{uri}" width="{width}" height="{height}" '
            f"alt='{html.escape(f'{self.alt} {self.name}: {label}', quote=True)}'>"
            f"<div class='tl-label'>{html.escape(label)}</div></div>"
            for uri, label in zip(self.frames, self.labels, strict=True)
        )
        bar = (
            f"<div class='tl-bar' hidden><button type='button'>Play</button><label>{html.escape(self.name)} "
            f"<input type='range' min='0' max='{len(self.frames) - 1}' step='1' value='{self.start}'></label>"
            f"<output>{html.escape(self.labels[self.start])}</output></div>"
        )
        return (
            f"<style>{_CSS}</style><figure class='tl-frames'><div class='tl-stage'>{cells}</div>{bar}"
            f"<figcaption>{html.escape(self.caption)}</figcaption></figure><script>{_JS}</script>"
        )


def _jpeg_uri(frame: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


Parameter = tuple[float, float, float, float]  # smallest, largest, step, start
Explorable = tuple[Callable, Mapping[str, Parameter]]  # method(model, x, target, **parameters)


class Explorer(widgets.VBox):
    """Choose photograph, class, method and its parameters; see the map and its numbers.

    `methods` maps a name to a function `(model, x, target, **parameters) -> map` and the range of
    each of its parameters. Needs a running kernel.
    """

    def __init__(self, model: torch.nn.Module, photos: Photographs, methods: Mapping[str, Explorable]):
        self.model, self.photos, self.methods = model, photos, methods
        self.photo = widgets.Dropdown(options=photos.names, description="photograph")
        self.target = widgets.Dropdown(description="class")
        self.method = widgets.Dropdown(options=list(methods), description="method")
        self.parameters = widgets.VBox()
        self.picture = widgets.Image(format="png", layout={"width": "560px", "max_width": "100%"})
        self.numbers = widgets.HTML()
        super().__init__([self.photo, self.target, self.method, self.parameters, self.picture, self.numbers])
        self.photo.observe(lambda _: self._new_photo(), "value")
        self.target.observe(lambda _: self._draw(), "value")
        self.method.observe(lambda _: self._new_method(), "value")
        self._new_method()
        self._new_photo()

    def _new_photo(self) -> None:
        x, _ = self.photos.one(self.photo.value)
        probability, index = predict(self.model, x)[0].topk(10)
        names = imagenet_classes()
        self.target.value = None
        self.target.options = [
            (f"{names[i]} ({p:.1%})", i) for i, p in zip(index.tolist(), probability.tolist(), strict=True)
        ]
        self.target.value = index[0].item()  # its observer draws

    def _new_method(self) -> None:
        _, ranges = self.methods[self.method.value]
        sliders = []
        for name, (low, high, step, start) in ranges.items():
            kind = widgets.IntSlider if isinstance(step, int) else widgets.FloatSlider
            slider = kind(start, min=low, max=high, step=step, description=name, continuous_update=False)
            slider.observe(lambda _: self._draw(), "value")
            sliders.append(slider)
        self.parameters.children = sliders
        self._draw()

    def _draw(self) -> None:
        if self.target.value is None:
            return
        x, _ = self.photos.one(self.photo.value)
        method, _ = self.methods[self.method.value]
        options = {slider.description: slider.value for slider in self.parameters.children}
        attribution = method(self.model, x, torch.tensor([self.target.value]), **options)
        signed = bool((attribution < 0).any())
        heat = (sum_over_colour if signed else max_over_colour)(attribution)[0]
        title = f"{self.method.value}: {imagenet_classes()[self.target.value]}"
        frame = pixels_of(panel_frame(x[0], heat, left=self.photo.value, right=title))
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "PNG")
        self.picture.value = buffer.getvalue()
        self.numbers.value = (
            f"sum {attribution.sum():.3f} · largest {attribution.max():.4f} · smallest "
            f"{attribution.min():.4f} · the strongest tenth of the pixels holds {_concentration(heat):.0%}"
            " of the absolute map"
        )


def _concentration(heat: torch.Tensor) -> float:
    values = heat.abs().flatten().sort(descending=True).values
    return (values[: len(values) // 10].sum() / values.sum().clamp(min=1e-30)).item()
