"""Padding may hold anything, NaN included: no value and no gradient shows it."""

from typing import Any

import pytest
import torch
from torch import Tensor

from kivuko.losses.transport import transport_loss

WAYS: list[dict[str, Any]] = [
    {},
    {"problem": "unbalanced"},
    {"problem": "partial"},
    {"problem": "proximal"},
    {"problem": "exact"},
    {"value": "divergence"},
]


def sides(padding: float) -> tuple[list[Tensor], list[Tensor]]:
    """Three items: one of full length, one with padding, one without any token on the student's side."""
    generator = torch.Generator().manual_seed(0)
    masks = [torch.arange(5) < torch.tensor([[5], [3], [0]]), torch.arange(4) < torch.tensor([[4], [2], [3]])]
    tokens = [torch.randn(*mask.shape, 6, generator=generator) for mask in masks]
    return [
        each.where(mask[..., None], padding).requires_grad_() for each, mask in zip(tokens, masks, strict=True)
    ], masks


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("padding", [torch.nan, torch.inf])
def test_what_stands_in_the_padding_changes_nothing(way: dict[str, Any], padding: float) -> None:
    found = []
    for filled in (0.0, padding):
        (student, teacher), (student_mask, teacher_mask) = sides(filled)
        loss = transport_loss(student, student_mask, teacher, teacher_mask, **way)
        loss.backward()
        assert student.grad is not None
        assert teacher.grad is not None
        assert not student.grad[~student_mask].any()
        assert not teacher.grad[~teacher_mask].any()
        found.append((loss.detach(), student.grad, teacher.grad))
    for plain, other in zip(*found, strict=True):
        torch.testing.assert_close(plain, other, rtol=0, atol=0)
    assert found[0][1][:2].any()
