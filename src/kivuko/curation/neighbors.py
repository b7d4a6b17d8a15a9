"""Nearest neighbors among mean vectors, with faiss."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kivuko.errors import ConfigError

EXACT = 200_000  # up to so many vectors every one is looked at
_PROBES = 32  # lists that are looked at, beyond that


class Neighbors(NamedTuple):
    """The nearest vectors of each vector asked about, nearest first.

    Attributes:
        places: (asked, count); -1 where fewer were found.
        cosines: (asked, count); 0 there.
    """

    places: NDArray[np.int64]
    cosines: NDArray[np.float32]


def require_faiss() -> Any:
    """Return the library.

    Raises:
        ConfigError: If it is not installed.
    """
    try:
        import faiss  # noqa: PLC0415 - of the extra `mining`
    except ImportError:
        raise ConfigError("Mining needs faiss to find neighbors. Install it: pip install 'kivuko[mining]'.") from None
    return faiss


def nearest(asked: NDArray[np.float32], among: NDArray[np.float32], *, count: int, exact: int = EXACT) -> Neighbors:
    """Find the vectors with the largest inner products, which are cosines for vectors of unit length.

    Up to `exact` vectors the search is exact. Beyond it, vectors are sorted into 4 sqrt(n) lists by k-means with a
    fixed seed, and of those the nearest 32 are searched; both are deterministic.

    Args:
        asked: (asked, dim).
        among: (vectors, dim).
        count: How many neighbors, at most as many as there are vectors.
        exact: Up to how many vectors all are looked at.

    Raises:
        ConfigError: If faiss is not installed.
    """
    faiss = require_faiss()
    index = faiss.IndexFlatIP(among.shape[1])
    if len(among) > exact:
        lists = int(4 * np.sqrt(len(among)))
        index = faiss.IndexIVFFlat(index, among.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
        index.nprobe = min(_PROBES, lists)
        index.train(among)
    index.add(among)
    cosines, places = index.search(asked, count)
    return Neighbors(places, np.where(places >= 0, cosines, 0))
