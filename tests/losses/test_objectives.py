"""One suite for all objectives: the value is the formula, what is masked does not count, nothing is ever NaN."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from kivuko.losses import mean_maxsim, scores_loss, sentence_loss, transport_loss

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
OBJECTIVES: dict[str, Loss] = {"transport": transport_loss, "scores": scores_loss, "sentence": sentence_loss}


class Pairs(NamedTuple):
    student: Tensor
    student_mask: Tensor
    teacher: Tensor
    teacher_mask: Tensor


@pytest.fixture
def pairs() -> Pairs:
    """Four pairs of ragged sentences."""
    generator = torch.Generator().manual_seed(7)
    student = torch.nn.functional.normalize(torch.randn(4, 6, 8, generator=generator), dim=-1)
    teacher = torch.nn.functional.normalize(torch.randn(4, 5, 8, generator=generator), dim=-1)
    student_mask = torch.arange(6) < torch.tensor([6, 3, 1, 4])[:, None]
    teacher_mask = torch.arange(5) < torch.tensor([5, 4, 2, 1])[:, None]
    return Pairs(student, student_mask, teacher, teacher_mask)


@pytest.fixture(params=OBJECTIVES)
def objective(request: pytest.FixtureRequest) -> Loss:
    return OBJECTIVES[request.param]


def test_masked_tokens_are_not_read(objective: Loss, pairs: Pairs) -> None:
    garbage = pairs._replace(
        student=pairs.student.masked_fill(~pairs.student_mask[..., None], 1e4),
        teacher=pairs.teacher.masked_fill(~pairs.teacher_mask[..., None], -1e4),
    )
    torch.testing.assert_close(objective(*garbage), objective(*pairs))


def test_further_padding_changes_nothing(objective: Loss, pairs: Pairs) -> None:
    padded = Pairs(
        torch.nn.functional.pad(pairs.student, (0, 0, 0, 3)),
        torch.nn.functional.pad(pairs.student_mask, (0, 3)),
        torch.nn.functional.pad(pairs.teacher, (0, 0, 0, 2)),
        torch.nn.functional.pad(pairs.teacher_mask, (0, 2)),
    )
    torch.testing.assert_close(objective(*padded), objective(*pairs), rtol=1e-4, atol=1e-5)


def test_order_of_the_batch_changes_nothing(objective: Loss, pairs: Pairs) -> None:
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(objective(*(part[order] for part in pairs)), objective(*pairs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", ["student_mask", "teacher_mask"])
@pytest.mark.parametrize("items", [[1], [0, 1, 2, 3]], ids=["one item", "all items"])
def test_item_without_tokens_gives_no_nan(objective: Loss, pairs: Pairs, side: str, items: list[int]) -> None:
    mask = getattr(pairs, side).clone()
    mask[items] = False
    student = pairs.student.clone().requires_grad_()
    loss = objective(*pairs._replace(student=student, **{side: mask}))
    loss.backward()
    assert student.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(student.grad).all()
    assert not student.grad[items].any()
    if len(items) == 4:
        assert loss == 0


def test_gradient_reaches_every_token_that_counts_and_no_other(objective: Loss, pairs: Pairs) -> None:
    student = pairs.student.clone().requires_grad_()
    objective(*pairs._replace(student=student)).backward()
    assert student.grad is not None
    assert torch.equal(student.grad.abs().sum(-1) > 0, pairs.student_mask)


def test_teacher_as_its_own_student_is_the_minimum(pairs: Pairs) -> None:
    own = Pairs(pairs.teacher, pairs.teacher_mask, pairs.teacher, pairs.teacher_mask)
    torch.testing.assert_close(scores_loss(*own), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(sentence_loss(*own), torch.tensor(0.0), atol=1e-6, rtol=0)


def test_sharp_transport_of_a_set_to_itself_is_free(pairs: Pairs) -> None:
    own = Pairs(pairs.teacher, pairs.teacher_mask, pairs.teacher.flip(1), pairs.teacher_mask.flip(1))
    assert transport_loss(*own, epsilon=0.01) < 1e-3
    assert transport_loss(*own, epsilon=1.0) > 0.1


def test_transport_between_single_tokens_is_their_cosine_distance() -> None:
    student, teacher = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.6, 0.8]]])
    one = torch.ones(1, 1, dtype=torch.bool)
    torch.testing.assert_close(transport_loss(student, one, teacher, one), torch.tensor(0.4))


def test_sentence_loss_is_the_squared_distance_of_the_means(pairs: Pairs) -> None:
    expected = torch.stack(
        [(s[m].mean(0) - t[n].mean(0)).square().sum() for s, m, t, n in zip(*pairs, strict=True)]
    ).mean()
    torch.testing.assert_close(sentence_loss(*pairs), expected)


def test_scores_loss_is_the_divergence_of_softmaxed_scores(pairs: Pairs) -> None:
    taught = mean_maxsim(pairs.teacher, pairs.teacher_mask, pairs.teacher, pairs.teacher_mask) / 0.2
    scored = mean_maxsim(pairs.student, pairs.student_mask, pairs.teacher, pairs.teacher_mask) / 0.2
    expected = torch.nn.functional.kl_div(
        scored.log_softmax(-1), taught.log_softmax(-1), log_target=True, reduction="batchmean"
    )
    torch.testing.assert_close(scores_loss(*pairs, temperature=0.2), expected)


def test_mean_maxsim_is_the_three_line_loop(pairs: Pairs) -> None:
    scores = mean_maxsim(*pairs)
    for i in range(4):
        for j in range(4):
            query, document = pairs.student[i][pairs.student_mask[i]], pairs.teacher[j][pairs.teacher_mask[j]]
            torch.testing.assert_close(scores[i, j], (query @ document.T).max(dim=-1).values.mean())


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_softness_must_be_positive(pairs: Pairs, value: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        transport_loss(*pairs, epsilon=value)
    with pytest.raises(ValueError, match="must be positive"):
        scores_loss(*pairs, temperature=value)


def test_mean_maxsim_has_the_gradient_of_the_loop(pairs: Pairs) -> None:
    def loop(queries: Tensor) -> Tensor:
        rows = [
            (queries[i][pairs.student_mask[i]] @ pairs.teacher[j][pairs.teacher_mask[j]].T).max(dim=-1).values.mean()
            for i in range(4)
            for j in range(4)
        ]
        return torch.stack(rows).reshape(4, 4)

    weights = torch.arange(16.0).reshape(4, 4)
    expected, found = pairs.student.clone().requires_grad_(), pairs.student.clone().requires_grad_()
    (loop(expected) * weights).sum().backward()
    (mean_maxsim(found, pairs.student_mask, pairs.teacher, pairs.teacher_mask) * weights).sum().backward()
    assert expected.grad is not None
    assert found.grad is not None
    torch.testing.assert_close(found.grad, expected.grad)
