"""A logistic rule, and how well what it says separates two kinds."""

import torch
from torch import Tensor


def logistic(rows: Tensor, labels: Tensor, *, ridge: float) -> Tensor:
    """Weights and a constant, (features + 1,), that minimise the mean cross-entropy plus `ridge` times the
    squared weights, by Newton's method.  rows (N, features), labels (N,) of 0 and 1"""
    design = torch.cat([rows, torch.ones_like(rows[:, :1])], 1)
    shrink = 2 * ridge * torch.eye(design.shape[1]).to(rows)
    shrink[-1, -1], w = 0, torch.zeros_like(design[0])
    for _ in range(20):
        p = (design @ w).sigmoid()
        slope = design.T @ (p - labels) / len(rows) + shrink @ w
        bend = design.T @ (design * (p * (1 - p))[:, None]) / len(rows) + shrink
        w = w - torch.linalg.solve(bend, slope)
    return w


def auroc(values: Tensor) -> Tensor:
    """P(a value of the first kind > one of the second), ties half.  (seeds, n, 2) -> (seeds,)"""
    first, second = values[..., 0, None], values[:, None, :, 1]
    return ((first > second).double() + (first == second).double() / 2).mean((1, 2))
