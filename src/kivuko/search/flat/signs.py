"""One bit a number: which documents are worth scoring, by the signs of rotated token embeddings.

Two vectors at an angle a, rotated at random, differ in each sign with probability a / pi (Goemans and Williamson 1995,
Charikar 2002). So a count of differing bits estimates a cosine, and MaxSim over such counts ranks documents well enough
to find those that MaxSim proper ranks highest among some hundreds. The rotation spreads what an embedding says over all
its numbers, some of which may otherwise be small and say little by their sign; it is a Hadamard transform of the
embedding with some signs turned (Ailon and Chazelle 2009), by integer products.

Signs are not stored: each process makes them of the codes when it first searches a segment, 16 bytes a token at 128
dimensions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, no_type_check

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray
from scipy.linalg import hadamard

from kivuko.transport.compiled_loop import machine_code

BLOCK = 8  # tokens side by side: as many 64-bit words as a register has
WORD = 64  # bits
TILE_TOKENS = 16_384
UNEQUAL = 1.1  # the longest embedding in units of the shortest, up to which angles tell of products


@dataclass(frozen=True, eq=False, slots=True)
class Signs:
    """The signs of a segment's embeddings.

    Attributes:
        words: uint64, (blocks, words a token, 8). A document begins a block; its last token fills the last one up.
        block_starts: For each document, and one past the last, the first block.
        shortest: The least length of an embedding, zeros aside; beyond all where there is none.
        longest: The largest; zero without any.
    """

    words: NDArray[np.uint64]
    block_starts: NDArray[np.int64]
    shortest: float
    longest: float


def can_rank(signs: Sequence[Signs]) -> bool:
    """Whether angles rank the documents of some segments: all embeddings are about equally long."""
    longest = max(each.longest for each in signs)
    return longest <= UNEQUAL * min(each.shortest for each in signs)


def make_signs(codes: NDArray[np.int8], scales: NDArray[np.float32], token_starts: NDArray[np.int64]) -> Signs:
    """Take the signs of all tokens of a segment.

    Args:
        codes: (tokens, dim).
        scales: (tokens,).
        token_starts: For each document, and one past the last, the first token.
    """
    rotation = _rotation(codes.shape[1])
    words = np.empty((len(codes), rotation.shape[1] // WORD), dtype=np.uint64)
    for first in range(0, len(codes), TILE_TOKENS):
        tile = slice(first, first + TILE_TOKENS)
        products = torch._int_mm(torch.from_numpy(codes[tile]), torch.from_numpy(rotation))
        words[tile] = _packed(products.numpy())
    shortest, longest = _lengths(codes, scales)
    block_starts = np.concatenate([[0], np.cumsum(-(-np.diff(token_starts) // BLOCK))])
    owners = np.repeat(np.arange(len(token_starts) - 1), np.diff(block_starts))
    firsts = token_starts[owners] + BLOCK * (np.arange(len(owners)) - block_starts[owners])
    tokens = np.minimum(firsts[:, None] + np.arange(BLOCK), token_starts[owners + 1][:, None] - 1)
    blocks = np.ascontiguousarray(words[tokens].transpose(0, 2, 1))
    return Signs(blocks, block_starts, float(shortest), float(longest))


def rank_by_signs(signs: Signs, query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Estimate MaxSim of every document, for embeddings of length one; minus infinity without tokens.

    Args:
        signs: Of the documents.
        query: Token embeddings, (tokens, dim).
    """
    rotation = _rotation(query.shape[1])
    bits = _packed(query @ rotation.astype(np.float32))
    cosines = np.cos(np.linspace(0, np.pi, rotation.shape[1] + 1, dtype=np.float32))
    lengths = np.linalg.norm(query, axis=1).astype(np.float32)
    values = cosines[:, None] * lengths
    return np.asarray(_rank(signs.words.ravel(), signs.block_starts, bits.ravel(), bits.shape[1], values))


@cache
def _rotation(dim: int) -> NDArray[np.int8]:
    """Return a Hadamard matrix with random signs of its rows: always the same, (dim, padded length), of 1 and -1."""
    length = max(WORD, 1 << (dim - 1).bit_length())
    turned = np.where(np.random.default_rng(20_230_227).random(dim) < 0.5, -1, 1)
    return np.ascontiguousarray(turned[:, None] * hadamard(length)[:dim], dtype=np.int8)


def _packed(rotated: NDArray[Any]) -> NDArray[np.uint64]:
    return np.packbits(rotated >= 0, axis=1, bitorder="little").view(np.uint64)


_WORD, _ROW = ir.IntType(64), ir.VectorType(ir.IntType(64), BLOCK)


def _ones(module: ir.Module) -> Any:
    kind = ir.FunctionType(_ROW, [_ROW])
    return cgutils.get_or_insert_function(module, kind, "llvm.ctpop.v8i64")  # type: ignore[no-untyped-call]


@intrinsic
@no_type_check
def _lower(_, least, row, words, block, bits, asked, width):  # noqa: ARG001 - numba wants their names
    """Lower row `row` of `least` to the numbers of bits in which a block of tokens differs from a query token.

    All arrays are flat; `block` and `asked` are the indices of the first words, `width` their number. Eight tokens are
    one vector of LLVM's, which numba does not find by itself in loops as short as these.
    """

    def generate(context, builder, signature, values):
        def place(position, index):
            data = context.make_array(signature.args[position])(context, builder, values[position]).data
            return builder.gep(data, [index])

        def row_at(position, index):
            return builder.bitcast(place(position, index), _ROW.as_pointer())

        def read(pointer):
            loaded = builder.load(pointer)
            loaded.align = 8
            return loaded

        def number(value):
            return ir.Constant(_WORD, value)

        count = cgutils.alloca_once_value(builder, ir.Constant(_ROW, [0] * BLOCK))
        with cgutils.for_range(builder, values[6]) as loop:
            tokens = read(row_at(2, builder.add(values[3], builder.mul(loop.index, number(BLOCK)))))
            word = read(place(4, builder.add(values[5], loop.index)))
            nothing = ir.Constant(_ROW, ir.Undefined)
            first = builder.insert_element(nothing, word, ir.IntType(32)(0))
            same = builder.shuffle_vector(
                first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), [0] * BLOCK)
            )
            different = builder.call(_ones(builder.module), [builder.xor(tokens, same)])
            builder.store(builder.add(builder.load(count), different), count)
        pointer = row_at(0, builder.mul(values[1], number(BLOCK)))
        before, now = read(pointer), builder.load(count)
        builder.store(builder.select(builder.icmp_unsigned("<", now, before), now, before), pointer).align = 8
        return context.get_dummy_value()

    return types.none(least, types.intp, words, types.intp, bits, types.intp, types.intp), generate


@machine_code
@no_type_check
def _lengths(codes, scales):
    """Return the least and the largest length of an embedding."""
    shortest, longest = np.float32(3e38), np.float32(0)
    for token in range(codes.shape[0]):
        square = np.int32(0)
        for k in range(codes.shape[1]):
            square += np.int32(codes[token, k]) * np.int32(codes[token, k])
        length = np.sqrt(np.float32(square)) * scales[token]
        if length > 0:
            shortest, longest = min(shortest, length), max(longest, length)
    return shortest, longest


@machine_code
@no_type_check
def _rank(words, block_starts, bits, width, values):
    """Sum over query tokens what the smallest number of differing bits is worth; `words` and `bits` are flat."""
    scores = np.empty(block_starts.shape[0] - 1, dtype=np.float32)
    asked = bits.shape[0] // width
    least = np.empty(asked * BLOCK, dtype=np.uint64)
    for document in range(scores.shape[0]):
        first, last = block_starts[document], block_starts[document + 1]
        if first == last:
            scores[document] = -np.inf
            continue
        least[:] = width * WORD
        for block in range(first, last):
            for j in range(asked):
                _lower(least, j, words, block * width * BLOCK, bits, j * width, width)
        total = np.float32(0)
        for j in range(asked):
            smallest = least[j * BLOCK]
            for lane in range(1, BLOCK):
                smallest = min(smallest, least[j * BLOCK + lane])
            total += values[smallest, j]
        scores[document] = total
    return scores
