"""Scaling iterations for the CPU, compiled: one problem at a time, on its true size, in cache.

The scheme, for each problem of the batch:

1. Gather the rows and columns that have mass, so that padding costs nothing.
2. Start from the c-transforms f_i = min_j C_ij and g_j = min_i (C_ij - f_i): every row and every column of the kernel
   K = exp((f + g - C) / epsilon) then holds a one, and no sum underflows, however small epsilon is.
3. Descend in epsilon by factors of four from about a sixth of the mean slack C - f - g; each stage starts warm.
4. Iterate the scalings u and v on the stored K, which needs no exponential, over-relaxed; absorb them into f and g when
   they grow large (Schmitzer 2019). K is stored by rows and by columns and padded to whole vectors, so that both of its
   products run along registers and nothing is summed across one (see `kivuko.transport.lanes`).
5. Near the tolerance drop the over-relaxation: it leaves fast, oscillating errors that a plain step removes at once.
   Stop between the two halves of a step, where the sums of rows and columns are those of the present u and v.

An over-relaxed step is u <- u * r^omega with r = demanded marginal / actual marginal. It converges like successive
over-relaxation (Thibault et al. 2021, Lehmann et al. 2022): where plain Sinkhorn has the rate 1 - kappa^2, the best
omega is 2 / (1 + kappa), which has the rate (1 - kappa) / (1 + kappa). Taken at once, it lets the error grow before it
falls; so omega changes from half-step to half-step by Chebyshev's recursion, which tends to the best (Golub and Varga
1961). Here kappa is 0.8 sqrt(epsilon / mean slack) at first, an estimate fitted on token embeddings; the rate that is
then observed raises omega where that is too low, and omega is lowered, towards plain Sinkhorn, which always converges,
where the error stops falling.

Relaxed marginals (see `unbalanced_sinkhorn`) change two things. The demanded marginal is a exp(-f / rho) and thus moves
with u, so that a step is u <- u * r^(omega * damping), damping = rho / (rho + epsilon). And the constant that may be
moved from g to f, on which nothing depends in the balanced problem, now matters and would converge slowly: it is set to
its best value in every iteration (Sejourne et al. 2022). The potentials begin no higher than 58 rho, since the demand
would underflow.

An infinite cost is replaced by 1e30 and left out of the mean slack. NaN, minus infinity and a token that is barred from
all others make the item NaN before the first iteration.

References:
    Schmitzer, "Stabilized sparse scaling algorithms for entropy regularized transport problems", SIAM Journal on
    Scientific Computing 2019. https://arxiv.org/abs/1610.06519
    Thibault, Chizat, Dossal and Papadakis, "Overrelaxed Sinkhorn-Knopp algorithm for regularized optimal transport",
    Algorithms 2021. https://arxiv.org/abs/1711.01851
    Lehmann, von Renesse, Sambale and Uschmajew, "A note on overrelaxation in the Sinkhorn algorithm", Optimization
    Letters 2022. https://arxiv.org/abs/2012.12562
    Sejourne, Vialard and Peyre, "Faster unbalanced optimal transport: translation invariant Sinkhorn and 1-D
    Frank-Wolfe", AISTATS 2022. https://arxiv.org/abs/2201.00730
    Golub and Varga, "Chebyshev semi-iterative methods, successive overrelaxation iterative methods, and second order
    Richardson iterative methods", Numerische Mathematik 1961.
    Young, "Iterative solution of large linear systems", Academic Press 1971.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from kivuko.transport.compiled_batch import solve_share
from kivuko.transport.result import TransportResult, check_feasible

_ENTRIES_PER_THREAD = 1 << 16  # with fewer cost entries, starting a thread costs more than it saves


def scale_compiled(
    cost: Tensor, a: Tensor, b: Tensor, *, epsilon: float, rho: float, tolerance: float, max_iterations: int
) -> TransportResult:
    """Run the compiled scaling iterations on a batch of problems in float32, on as many threads as torch may use."""
    arrays = [tensor.contiguous().numpy() for tensor in (cost, a, b)]
    batch = len(cost)
    plan, f, g = (np.empty(tensor.shape, np.float32) for tensor in (cost, a, b))
    value, error = np.empty(batch, np.float32), np.empty(batch, np.float32)
    iterations, converged = np.empty(batch, np.int64), np.empty(batch, np.bool_)
    settings = (np.float32(epsilon), np.float32(1 / rho), np.float32(tolerance), max_iterations)
    results = (plan, value, f, g, iterations, error, converged)

    def solve(start: int, stride: int) -> bool:
        return bool(solve_share(*arrays, *settings, start, stride, *results))

    threads = min(torch.get_num_threads(), plan.size // _ENTRIES_PER_THREAD, batch)
    if threads <= 1:
        feasible = solve(0, 1)
    else:
        with ThreadPoolExecutor(threads) as pool:
            feasible = all(pool.map(solve, range(threads), [threads] * threads))
    if not feasible:
        check_feasible(torch.from_numpy(iterations >= 0))
    return TransportResult(*map(torch.from_numpy, results))
