"""Scaling iterations in plain torch, in the log domain: any device, any precision, the whole batch at once."""

import torch
from torch import Tensor

from kivuko.transport.result import TransportResult, are_feasible, check_feasible

_PATIENCE = 40  # iterations without progress before omega is lowered


def scale_in_torch(
    cost: Tensor, a: Tensor, b: Tensor, *, epsilon: float, rho: float, tolerance: float, max_iterations: int
) -> TransportResult:
    """Run over-relaxed Sinkhorn iterations on a batch, each item until its own marginals are right.

    With S = C / epsilon and potentials in the unit of epsilon, a plain step is f <- damping * fresh, where
    fresh_i = -log sum_j b_j exp(g_j - S_ij) and damping = rho / (rho + epsilon); a relaxed one goes omega times as far.
    The row sums of the plan are a exp(f - fresh) and the demanded ones a exp(-f epsilon / rho).
    """
    softness = epsilon / rho
    damping = 1 / (1 + softness)
    inside = (a[:, :, None] > 0) & (b[:, None, :] > 0)
    if not inside.numel():
        return _nothing(cost, a, b)
    check_feasible(are_feasible(a, b, must_agree=softness == 0))
    a, b = a.where(inside.any(2), 0), b.where(inside.any(1), 0)
    log_a, log_b = a.log(), b.log()
    first_f, first_g = _transform(cost, inside)
    slack = cost - first_f - first_g
    omega = _best_omega(slack / epsilon, inside & (cost < torch.inf), damping)
    if softness > 0:  # the potentials themselves matter: they must begin at zero
        slack, first_f, first_g = cost, torch.zeros_like(first_f), torch.zeros_like(first_g)
    scaled = slack.where(inside, 0) / epsilon

    def row_errors(f: Tensor, fresh: Tensor, mass: Tensor) -> Tensor:
        return (mass * ((f - fresh).exp() - (-softness * f).exp())).abs().sum(-1)

    f, g = torch.zeros_like(a), torch.zeros_like(b)
    iterations, stale = torch.zeros_like(omega, dtype=torch.int64), torch.zeros_like(omega)
    column_error, best = torch.full_like(omega, torch.inf), torch.full_like(omega, torch.inf)
    for iteration in range(1, max_iterations + 1):
        fresh = -(log_b[:, None, :] + g[:, None, :] - scaled).logsumexp(2).where(a > 0, 0)
        error = row_errors(f, fresh, a) + column_error
        is_open = inside.any((1, 2)) & (error > tolerance)
        if not is_open.any():
            break
        iterations += is_open
        is_plain = iteration < 3 or iteration == max_iterations
        step = is_open[:, None] if is_plain else (omega * is_open)[:, None]
        f = f + step * (damping * fresh - f)
        if softness > 0:  # the best constant to move from g to f (Sejourne et al. 2022)
            masses = (a * (-softness * f).exp()).sum(-1), (b * (-softness * g).exp()).sum(-1)
            constant = (is_open * (masses[0] / masses[1]).log() / (2 * softness))[:, None]
            f, g = (f + constant).where(a > 0, 0), (g - constant).where(b > 0, 0)
        fresh = -(log_a[:, :, None] + f[:, :, None] - scaled).logsumexp(1).where(b > 0, 0)
        g = g + step * (damping * fresh - g)
        column_error = row_errors(g, fresh, b)
        stale = (stale + 1).where(error >= best, 0)
        is_stuck = stale > _PATIENCE
        omega = (1 + 0.7 * (omega - 1)).where(is_stuck, omega)
        best = error.where(is_stuck, best.minimum(error))
    plan = (log_a[:, :, None] + log_b[:, None, :] + f[:, :, None] + g[:, None, :] - scaled).exp()
    error = (plan.sum(2) - a * (-softness * f).exp()).abs().sum(-1)
    error = error + (plan.sum(1) - b * (-softness * g).exp()).abs().sum(-1)
    f, g = epsilon * f + first_f[:, :, 0], epsilon * g + first_g[:, 0, :]
    if softness == 0:  # balanced: the potentials are known up to a constant
        gap = ((a * f).sum(-1) - (b * g).sum(-1)) / (2 * a.sum(-1)).clamp(min=1e-30)
        f, g = (f - gap[:, None]).where(a > 0, 0), (g + gap[:, None]).where(b > 0, 0)
    value = (plan * cost.where(plan != 0, 0)).sum((1, 2))
    return TransportResult(plan, value, f, g, iterations, error, error <= tolerance)


def _nothing(cost: Tensor, a: Tensor, b: Tensor) -> TransportResult:
    zero = cost.new_zeros(len(cost))
    f, g = torch.zeros_like(a), torch.zeros_like(b)
    return TransportResult(torch.zeros_like(cost), zero, f, g, zero.long(), zero, zero == 0)


def _transform(cost: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the c-transforms f_i = min_j C_ij and g_j = min_i (C_ij - f_i); zero where there is no mass."""
    f = cost.where(inside, torch.inf).amin(2, keepdim=True).where(inside.any(2, keepdim=True), 0)
    g = (cost - f).where(inside, torch.inf).amin(1, keepdim=True).where(inside.any(1, keepdim=True), 0)
    return f, g


def _best_omega(slack: Tensor, inside: Tensor, damping: float) -> Tensor:
    """Estimate the best over-relaxation of each item, as `kivuko.transport.compiled` explains."""
    mean = slack.where(inside, 0).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)
    kappa = 0.8 / mean.clamp(min=0.64).sqrt()
    return 2 / (1 + (1 - damping**2 * (1 - kappa**2)).sqrt())
