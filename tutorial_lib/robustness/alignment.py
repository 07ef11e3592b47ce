"""Why the maps of robust networks look better: alignment, spectra, manifolds (paper §5.2)."""
import torch
from torch import Generator, Tensor, nn

from tutorial_lib.scores import all_scores


class Margin(nn.Module):
    """S_c - max over k ≠ c of S_k, for each class c: positive for the class that `model` names, and 0 on
    the boundary. Its gradient g and value m give the distance |m| / ‖g‖ of a linear model."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        self.train(model.training)

    def forward(self, x: Tensor) -> Tensor:
        scores = all_scores(self.model, x)
        first, second = scores.topk(2, dim=1).values.unbind(1)
        best = scores == first[:, None]
        return scores - torch.where(best, second[:, None], first[:, None])


def alignment(x: Tensor, gradient: Tensor) -> Tensor:
    """|⟨x, g⟩| / ‖g‖ of images and gradients, both (N, C, H, W) -> (N,): the length of x along g (Etmann et
    al. 2019). For f(x) = w · x it is the distance to the boundary f = 0. NaN where g = 0."""
    return cosine(x, gradient) * x.flatten(1).norm(dim=1)


def cosine(x: Tensor, gradient: Tensor) -> Tensor:
    """|⟨x, g⟩| / (‖x‖ ‖g‖), in [0, 1]: alignment without the size of the image. NaN where x or g is 0."""
    if x.shape != gradient.shape:
        raise ValueError(f"images of shape {tuple(x.shape)} and gradients of shape {tuple(gradient.shape)}")
    a, b = x.flatten(1), gradient.flatten(1)
    return (a * b).sum(1).abs() / a.norm(dim=1) / b.norm(dim=1)


def amplitudes(heat: Tensor) -> Tensor:
    """The amplitude of each frequency of maps (..., H, W), shaped like them; (0, 0) is the mean's."""
    return torch.fft.fft2(heat).abs()


def with_amplitudes(heat: Tensor, wanted: Tensor) -> Tensor:
    """The maps (..., H, W) with their phases and the `wanted` amplitudes, which broadcast to them: where
    things are stays, how rough it is changes. A frequency that a map lacks is taken to have the phase 0."""
    phases = torch.fft.fft2(heat).angle()
    return torch.fft.ifft2(torch.polar(wanted.expand_as(heat).contiguous(), phases)).real


def random_of_spectrum(heat: Tensor, *, generator: Generator) -> Tensor:
    """For each map (..., H, W) one of the same amplitudes whose phases are those of white noise: as smooth,
    about nothing. The control of everything that looks smooth."""
    noise = torch.randn(heat.shape, generator=generator, dtype=heat.dtype, device=heat.device)
    return with_amplitudes(noise, amplitudes(heat))


def ring_power(heat: Tensor) -> Tensor:
    """Mean power of the frequencies of 0, 1, 2, … cycles per image, by their rounded length, over all maps
    (N, ..., H, W) -> (rings,)"""
    power, ring = amplitudes(heat).square(), _rings(heat)
    return torch.stack([power[..., ring == r].mean() for r in range(int(ring.max()) + 1)])


def filtered_like(heat: Tensor, like: Tensor) -> Tensor:
    """The maps (N, ..., H, W) after the one linear, isotropic filter that gives them, all together, the ring
    powers of the maps `like`; it knows no single image of `like`. `ValueError` for other sides."""
    if heat.shape[-2:] != like.shape[-2:]:
        raise ValueError(f"maps of {tuple(heat.shape[-2:])} and of {tuple(like.shape[-2:])} pixels")
    gain = (ring_power(like) / ring_power(heat).clamp_min(1e-30)).sqrt()
    return torch.fft.ifft2(torch.fft.fft2(heat) * gain[_rings(heat)]).real


def _rings(heat: Tensor) -> Tensor:
    rows, columns = (torch.fft.fftfreq(side, 1 / side) for side in heat.shape[-2:])
    return (rows[:, None] ** 2 + columns**2).sqrt().round().long().to(heat.device)


def principal_directions(images: Tensor, *, k: int) -> Tensor:
    """The `k` orthonormal directions in which images (N, C, H, W) vary most, (pixels, k): their best flat
    manifold. `ValueError` unless 1 ≤ k ≤ the smaller of N - 1 and the number of pixels."""
    flat = images.flatten(1).double()
    if not 1 <= k <= min(len(flat) - 1, flat.shape[1]):
        raise ValueError(f"{len(flat)} images of {flat.shape[1]} pixels do not have {k} principal directions")
    deviations = flat - flat.mean(0)
    return torch.linalg.eigh(deviations.T @ deviations).eigenvectors[:, -k:].flip(1).to(images)


def tangent_directions(decode: nn.Module, codes: Tensor) -> Tensor:
    """Orthonormal directions (N, pixels, k) of the surface that `decode` spans at each code (N, k)."""
    def one(code: Tensor) -> Tensor:
        return decode(code[None]).flatten()

    return torch.linalg.qr(torch.vmap(torch.func.jacrev(one), chunk_size=16)(codes)).Q.detach()


def residual(vectors: Tensor, directions: Tensor) -> Tensor:
    """‖v - Pv‖ / ‖v‖ of vectors (N, C, H, W), P the projection on the orthonormal `directions` (pixels, k) or
    (N, pixels, k) -> (N,): 0 along the manifold, 1 across it; √(1 - k / pixels) for noise."""
    v = vectors.flatten(1)[:, None]
    off = v - (v @ directions) @ directions.mT
    return off.squeeze(1).norm(dim=1) / v.squeeze(1).norm(dim=1)
