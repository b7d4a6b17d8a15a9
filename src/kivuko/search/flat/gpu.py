"""The scan on a GPU: the same integer products, by float32, which holds them exactly.

A product of two codes is at most 127 * 127, and a sum of 1,040 of these stays below 2**24: float32 adds them without
error, and so does TF32, whose eleven digits hold a code. So whatever device computes it, the scan is that of
`kivuko.search.flat.scan`, within the rounding that its margin allows for.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from kivuko.search.flat.quantize import LARGEST, quantize
from kivuko.search.flat.segment import DeviceCodes, Segment

TILE_TOKENS = 262_144  # 128 MB of float32 at 128 dimensions
LARGEST_DIM = 2**24 // LARGEST**2
LOWEST = -3e38


def usable_gpu(dim: int) -> torch.device | None:
    """Return the GPU that a store of this dimension can be scanned on, if there is one."""
    return torch.device("cuda") if torch.cuda.is_available() and dim <= LARGEST_DIM else None


def scan_on_device(segment: Segment, query: NDArray[np.float32], device: torch.device) -> NDArray[np.float32]:
    """Compute MaxSim of every passage with the rounded query; minus infinity without tokens.

    The codes are copied to the device at the first use of a segment, and stay there as long as it is open.

    Args:
        segment: Where to look.
        query: Finite token embeddings, (tokens, dim).
        device: Where to compute.
    """
    kept = _on_device(segment, device)
    rounded = quantize(query)
    asked = torch.from_numpy(rounded.codes).to(device).float()
    best = torch.full((len(segment), len(query)), LOWEST, device=device)
    for first in range(0, len(kept.codes), TILE_TOKENS):
        tile = slice(first, first + TILE_TOKENS)
        products = (kept.codes[tile].float() @ asked.T) * kept.scales[tile, None]
        best.scatter_reduce_(0, kept.owners[tile, None].expand_as(products), products, "amax")
    # Not by a matrix product, which may be told to round to TF32.
    scores = (best * torch.from_numpy(rounded.scales).to(device)).sum(dim=1).cpu().numpy()
    scores[np.diff(segment.token_starts) == 0] = -np.inf
    return np.asarray(scores, dtype=np.float32)


def _on_device(segment: Segment, device: torch.device) -> DeviceCodes:
    kept = segment.on_device.get(str(device))
    if kept is None:
        owners = np.repeat(np.arange(len(segment)), np.diff(segment.token_starts))
        tensors = (torch.from_numpy(array).to(device) for array in (segment.codes, segment.scales, owners))
        kept = segment.on_device[str(device)] = DeviceCodes(*tensors)
    return kept
