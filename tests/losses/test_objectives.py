"""One suite for all objectives: the value is the formula, what is masked does not count, nothing is ever NaN."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from kivuko.losses import (
    contrastive_loss,
    diagonal_loss,
    greedy_loss,
    mean_maxsim,
    nearest_loss,
    scores_loss,
    sentence_loss,
    transport_loss,
    triplet_loss,
)
from kivuko.transport import (
    cosine_cost,
    partial_sinkhorn,
    sinkhorn,
    transport_value,
    unbalanced_sinkhorn,
    uniform_marginal,
)

from . import formulas
from .conftest import Pairs

Loss = Callable[..., Tensor]


class Objective(NamedTuple):
    """An objective, its formula, and what its definition promises.

    Attributes:
        loss: What is tested.
        formula: The slow loop.
        tolerance: Relative; a transport plan is solved to a marginal error of a thousandth.
        holds_a_plan: The gradient is not that of the value, but of the cost of the plan held constant.
        links_all: Every token that counts gets a gradient.
        vanishes: A teacher that is its own student is the minimum, zero.
        skips_absent: An item without tokens is not counted in the mean, rather than counted as zero.
    """

    loss: Loss
    formula: Callable[[formulas.Items], Tensor]
    tolerance: float = 1e-9
    holds_a_plan: bool = False
    links_all: bool = True
    vanishes: bool = False
    skips_absent: bool = False


UNBALANCED = {"problem": "unbalanced", "rho": 0.4}
PARTIAL = {"problem": "partial", "mass": 0.7}
OBJECTIVES = {
    "transport": Objective(transport_loss, formulas.transport, 2e-3, holds_a_plan=True),
    "transport, unbalanced": Objective(
        partial(transport_loss, **UNBALANCED), partial(formulas.transport, rho=0.4), 2e-3, holds_a_plan=True
    ),
    "transport, partial": Objective(
        partial(transport_loss, **PARTIAL), partial(formulas.partial, mass=0.7), 4e-3, holds_a_plan=True
    ),
    "transport, divergence": Objective(
        partial(transport_loss, value="divergence", epsilon=0.5),
        partial(formulas.divergence, epsilon=0.5),
        1e-5,
        vanishes=True,
    ),
    "greedy": Objective(greedy_loss, formulas.greedy, links_all=False, vanishes=True),
    "nearest": Objective(nearest_loss, formulas.nearest, vanishes=True),
    "diagonal": Objective(diagonal_loss, formulas.diagonal, 1e-6, vanishes=True),
    "sentence": Objective(sentence_loss, formulas.sentence, vanishes=True),
    "scores": Objective(scores_loss, formulas.scores, vanishes=True),
    "triplet": Objective(partial(triplet_loss, margin=1.0), partial(formulas.triplet, margin=1.0), skips_absent=True),
    "triplet, narrow": Objective(triplet_loss, formulas.triplet, links_all=False, skips_absent=True),
    "contrastive": Objective(contrastive_loss, formulas.contrastive),
}


@pytest.fixture(params=OBJECTIVES)
def objective(request: pytest.FixtureRequest) -> Objective:
    return OBJECTIVES[request.param]


def promising(promise: str, kept: bool = True) -> list[str]:
    return [name for name, objective in OBJECTIVES.items() if getattr(objective, promise) is kept]


def test_value_is_the_formula(objective: Objective, pairs: Pairs) -> None:
    torch.testing.assert_close(
        objective.loss(*pairs), objective.formula(pairs.items()), rtol=objective.tolerance, atol=objective.tolerance
    )


def test_masked_tokens_are_not_read(objective: Objective, pairs: Pairs) -> None:
    garbage = pairs._replace(
        student=pairs.student.masked_fill(~pairs.student_mask[..., None], 1e4),
        teacher=pairs.teacher.masked_fill(~pairs.teacher_mask[..., None], -1e4),
    )
    torch.testing.assert_close(objective.loss(*garbage), objective.loss(*pairs))


def test_further_padding_changes_nothing(objective: Objective, pairs: Pairs) -> None:
    padded = Pairs(
        torch.nn.functional.pad(pairs.student, (0, 0, 0, 3)),
        torch.nn.functional.pad(pairs.student_mask, (0, 3)),
        torch.nn.functional.pad(pairs.teacher, (0, 0, 0, 2)),
        torch.nn.functional.pad(pairs.teacher_mask, (0, 2)),
    )
    torch.testing.assert_close(objective.loss(*padded), objective.loss(*pairs), rtol=1e-4, atol=1e-5)


def test_order_of_the_batch_changes_nothing(objective: Objective, pairs: Pairs) -> None:
    order = torch.tensor([2, 0, 3, 1])
    shuffled = Pairs(*(part[order] for part in pairs))
    torch.testing.assert_close(objective.loss(*shuffled), objective.loss(*pairs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", ["student_mask", "teacher_mask"])
@pytest.mark.parametrize("items", [[1], [0, 1, 2, 3]], ids=["one item", "all items"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_item_without_tokens_gives_no_nan(
    objective: Objective, pairs: Pairs, side: str, items: list[int], dtype: torch.dtype
) -> None:
    mask = getattr(pairs, side).clone()
    mask[items] = False
    student = pairs.student.to(dtype, copy=True).requires_grad_()
    loss = objective.loss(*pairs._replace(student=student, teacher=pairs.teacher.to(dtype), **{side: mask}))
    loss.backward()
    assert student.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(student.grad).all()
    assert not student.grad[items].any()
    if len(items) == 4:
        assert loss == 0


def test_pair_without_tokens_is_as_good_as_not_there(objective: Objective, pairs: Pairs) -> None:
    masks = pairs.student_mask.clone(), pairs.teacher_mask.clone()
    for mask in masks:
        mask[1] = False
    found = objective.loss(*pairs._replace(student_mask=masks[0], teacher_mask=masks[1]))
    left = objective.formula([item for place, item in enumerate(pairs.items()) if place != 1])
    # It adds zero to the mean over the batch; only the mean over triplets does not count it.
    expected = left if objective.skips_absent else left * 3 / 4
    torch.testing.assert_close(found, expected, rtol=objective.tolerance, atol=objective.tolerance)


@pytest.mark.parametrize("name", promising("links_all"))
def test_gradient_reaches_every_token_that_counts_and_no_other(name: str, pairs: Pairs) -> None:
    student = pairs.student.clone().requires_grad_()
    OBJECTIVES[name].loss(*pairs._replace(student=student)).backward()
    assert student.grad is not None
    assert torch.equal(student.grad.abs().sum(-1) > 0, pairs.student_mask)


@pytest.mark.parametrize("name", promising("holds_a_plan", kept=False))
def test_gradient_is_that_of_finite_differences(name: str, pairs: Pairs) -> None:
    assert_gradient(OBJECTIVES[name].loss, OBJECTIVES[name].loss, pairs)


@pytest.mark.parametrize(
    ("options", "solve"),
    [
        ({}, sinkhorn),
        (UNBALANCED, partial(unbalanced_sinkhorn, rho=0.4)),
        (PARTIAL, partial(partial_sinkhorn, fraction=0.7)),
    ],
    ids=["balanced", "unbalanced", "partial"],
)
def test_gradient_of_transport_is_that_of_its_plan_held_constant(
    options: dict[str, object], solve: Callable[..., Tensor], pairs: Pairs
) -> None:
    masses = uniform_marginal(pairs.student_mask), uniform_marginal(pairs.teacher_mask)
    P = solve(cosine_cost(pairs.student, pairs.teacher), *masses, epsilon=0.05).plan

    def held(student: Tensor, student_mask: Tensor, teacher: Tensor, teacher_mask: Tensor) -> Tensor:
        return (P * cosine_cost(student, teacher)).sum((1, 2)).mean()

    assert_gradient(partial(transport_loss, **options), held, pairs)


def assert_gradient(loss: Loss, value: Loss, pairs: Pairs, step: float = 1e-4) -> None:
    """Check the gradient of one function against differences of another, along three directions."""
    student = pairs.student.clone().requires_grad_()
    loss(*pairs._replace(student=student)).backward()
    assert student.grad is not None
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        direction = torch.randn(student.shape, generator=generator, dtype=torch.float64)
        higher, lower = (value(*pairs._replace(student=pairs.student + sign * step * direction)) for sign in (1, -1))
        torch.testing.assert_close(
            (student.grad * direction).sum(), (higher - lower) / (2 * step), rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize("name", promising("vanishes"))
def test_teacher_as_its_own_student_is_the_minimum(name: str, pairs: Pairs) -> None:
    own = Pairs(pairs.teacher, pairs.teacher_mask, pairs.teacher, pairs.teacher_mask)
    loss = OBJECTIVES[name].loss
    torch.testing.assert_close(loss(*own), torch.tensor(0.0, dtype=torch.float64), atol=1e-6, rtol=0)
    generator = torch.Generator().manual_seed(2)
    for _ in range(5):
        moved = own.student + 0.3 * torch.randn(own.student.shape, generator=generator, dtype=torch.float64)
        assert loss(*own._replace(student=torch.nn.functional.normalize(moved, dim=-1))) > 1e-5


def test_sharp_transport_of_a_set_to_itself_is_free_and_a_soft_one_is_not(pairs: Pairs) -> None:
    own = Pairs(pairs.teacher, pairs.teacher_mask, pairs.teacher.flip(1), pairs.teacher_mask.flip(1))
    assert transport_loss(*own, epsilon=0.01) < 1e-3
    assert transport_loss(*own, epsilon=1.0) > 0.1


def test_marginals_say_where_the_mass_is(pairs: Pairs) -> None:
    first = torch.zeros_like(pairs.student[..., 0])
    first[:, 0] = 1
    found = transport_loss(*pairs, student_marginal=first)
    expected = formulas.mean((1 - s[0] @ t.T).mean() for s, t in pairs.items())
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_triplet_is_free_where_every_other_translation_is_farther_by_the_margin() -> None:
    apart = torch.eye(3)[:, None]
    real = torch.ones(3, 1, dtype=torch.bool)
    assert triplet_loss(apart, real, apart, real, margin=1.0) == 0
    torch.testing.assert_close(triplet_loss(apart, real, apart, real, margin=1.5), torch.tensor(0.5))


def test_mean_maxsim_is_the_three_line_loop(pairs: Pairs) -> None:
    students, teachers = map(list, zip(*pairs.items(), strict=True))
    torch.testing.assert_close(mean_maxsim(*pairs), formulas.table(students, teachers))


def test_mean_maxsim_has_the_gradient_of_the_loop(pairs: Pairs) -> None:
    weights = torch.arange(16.0, dtype=torch.float64).reshape(4, 4)
    expected, found = pairs.student.clone().requires_grad_(), pairs.student.clone().requires_grad_()
    students, teachers = map(list, zip(*pairs._replace(student=expected).items(), strict=True))
    (formulas.table(students, teachers) * weights).sum().backward()
    (mean_maxsim(found, pairs.student_mask, pairs.teacher, pairs.teacher_mask) * weights).sum().backward()
    assert expected.grad is not None
    assert found.grad is not None
    torch.testing.assert_close(found.grad, expected.grad)


@pytest.mark.parametrize(
    ("loss", "options", "message"),
    [
        (transport_loss, {"epsilon": 0.0}, "epsilon must be positive"),
        (transport_loss, {"epsilon": -1.0, "value": "divergence"}, "epsilon must be positive"),
        (transport_loss, {"problem": "unbalanced", "rho": 0.0}, "rho must be positive"),
        (transport_loss, {"problem": "partial", "mass": 1.5}, r"in \(0, 1\], got 1.5"),
        (transport_loss, {"problem": "partial", "value": "divergence"}, "needs problem 'balanced', got 'partial'"),
        (scores_loss, {"temperature": 0.0}, "temperature must be positive"),
        (contrastive_loss, {"temperature": -1.0}, "temperature must be positive"),
        (triplet_loss, {"margin": 0.0}, "margin must be positive"),
    ],
)
def test_what_makes_no_sense_is_refused(loss: Loss, options: dict[str, object], message: str, pairs: Pairs) -> None:
    with pytest.raises(ValueError, match=message):
        loss(*pairs, **options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_transport_is_the_cost_of_the_sinkhorn_plan_with_that_plan_as_gradient(
    pairs: Pairs, dtype: torch.dtype
) -> None:
    pairs = pairs._replace(student=pairs.student.to(dtype).requires_grad_(), teacher=pairs.teacher.to(dtype))
    cost = cosine_cost(pairs.student, pairs.teacher)
    marginals = uniform_marginal(pairs.student_mask).to(dtype), uniform_marginal(pairs.teacher_mask).to(dtype)
    expected = transport_value(cost, sinkhorn(cost.detach(), *marginals, epsilon=0.05).plan).mean()
    found = transport_loss(*pairs)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(value, pairs.student)[0] for value in (found, expected)))


def test_exact_and_proximal_plans_cost_no_more_than_the_entropic_one(pairs: Pairs) -> None:
    entropic, proximal, exact = (
        transport_loss(*pairs, problem=problem) for problem in ("balanced", "proximal", "exact")
    )
    assert exact <= proximal < entropic
    torch.testing.assert_close(proximal, exact, atol=2e-3, rtol=0)


def test_sentences_without_a_translation_are_negatives_for_all() -> None:
    torch.manual_seed(0)
    student, teacher = (torch.nn.functional.normalize(torch.randn(n, 3, 4), dim=-1) for n in (2, 3))
    masks = torch.ones(2, 3, dtype=torch.bool), torch.ones(3, 3, dtype=torch.bool)
    scores = torch.einsum("qid,sjd->qsij", student, teacher).amax(-1).mean(-1) / 0.1
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1]))
    found = contrastive_loss(student, masks[0], teacher, masks[1], temperature=0.1)
    assert torch.allclose(found, expected, atol=1e-6)
    with pytest.raises(ValueError, match="each translation needs its English sentence"):
        contrastive_loss(teacher, masks[1], student, masks[0])
