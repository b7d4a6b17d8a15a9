"""Sixteen float32 at a time, for the compiled solver: a vector type for numba, and what can be done with it.

numba leaves it to LLVM to find vectors in scalar loops. On the short rows of a sentence pair that costs more than the
arithmetic: each loop has a check for overlapping memory, a remainder, and shuffles where it sums. Here the vectors are
written down as LLVM's own `<16 x float>`, which becomes one register of AVX-512, two of AVX2, or four of SSE or NEON.

In compiled functions `x + y`, `x - y`, `x * y` and `x / y` work on lanes, and a number stands for sixteen of itself.
Arithmetic may be reordered and fused, and is for finite numbers.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.datamodel.registry import register_default
from numba.extending import intrinsic, overload

COUNT = 16

_FLOAT, _INT, _BOOL = ir.FloatType(), ir.IntType(32), ir.IntType(1)
_FLOATS, _INTS, _BOOLS = (ir.VectorType(kind, COUNT) for kind in (_FLOAT, _INT, _BOOL))
_FAST = ("fast",)


class Lanes(types.Type):
    """Sixteen float32, to numba."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


LANES = Lanes()


@register_default(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Lanes) -> None:
        super().__init__(manager, kind, _FLOATS)  # type: ignore[no-untyped-call]


def _of(number: float | int, kind: ir.Type = _FLOATS) -> ir.Constant:
    return ir.Constant(kind, [number] * COUNT)


def _spread(context: Any, builder: Any, kind: types.Type, value: Any) -> Any:
    """Turn a number into sixteen of itself; leave lanes as they are."""
    if isinstance(kind, Lanes):
        return value
    number = context.cast(builder, value, kind, types.float32)
    nothing = ir.Constant(_FLOATS, ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(nothing, number, _INT(0)), nothing, _of(0, _INTS))


def _operation(build: Callable[..., Any], *, operands: int, result: types.Type = LANES) -> Any:
    """Make a function for compiled code out of one that writes its instructions."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return build(builder, *(_spread(context, builder, *pair) for pair in zip(signature.args, values, strict=True)))

    def declare(*kinds: Any) -> Any:
        return (result(*kinds), generate) if all(isinstance(kind, Lanes | types.Number) for kind in kinds) else None

    match operands:
        case 1:
            return intrinsic(lambda context, x: declare(x))
        case 2:
            return intrinsic(lambda context, x, y: declare(x, y))
        case _:
            return intrinsic(lambda context, x, y, z: declare(x, y, z))


def _call(builder: Any, name: str, result: ir.Type, *values: Any, fast: bool = True) -> Any:
    kind = ir.FunctionType(result, [value.type for value in values])
    function = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
    return builder.call(function, values, fastmath=_FAST if fast else ())


_add = _operation(lambda builder, x, y: builder.fadd(x, y, flags=_FAST), operands=2)
_subtract = _operation(lambda builder, x, y: builder.fsub(x, y, flags=_FAST), operands=2)
_multiply = _operation(lambda builder, x, y: builder.fmul(x, y, flags=_FAST), operands=2)
_divide = _operation(lambda builder, x, y: builder.fdiv(x, y, flags=_FAST), operands=2)


def _overload(symbol: Callable[[Any, Any], Any], function: Any) -> None:
    def implement(x, y):  # type: ignore[no-untyped-def]
        if isinstance(x, Lanes) or isinstance(y, Lanes):
            return lambda x, y: function(x, y)  # noqa: PLW0108 - numba wants the code of a function
        return None

    overload(symbol)(implement)


for _symbol, _function in (
    (operator.add, _add),
    (operator.iadd, _add),
    (operator.sub, _subtract),
    (operator.mul, _multiply),
    (operator.truediv, _divide),
):
    _overload(_symbol, _function)

spread = _operation(lambda builder, x: x, operands=1)
"""A number, sixteen times."""

absolute = _operation(lambda builder, x: _call(builder, "llvm.fabs.v16f32", _FLOATS, x), operands=1)
"""The absolute values."""


def _extreme(comparison: str) -> Callable[..., Any]:
    return lambda builder, x, y: builder.select(builder.fcmp_ordered(comparison, x, y, flags=_FAST), x, y)


minimum = _operation(_extreme("<"), operands=2)
maximum = _operation(_extreme(">"), operands=2)
choose = _operation(
    lambda builder, test, x, y: builder.select(builder.fcmp_ordered(">", test, _of(0.0)), x, y), operands=3
)
"""x where the test is positive, else y."""

total = _operation(
    lambda builder, x: _call(builder, "llvm.vector.reduce.fadd.v16f32", _FLOAT, _FLOAT(0), x),
    operands=1,
    result=types.float32,
)
"""The sum of the sixteen."""

least = _operation(
    lambda builder, x: _call(builder, "llvm.vector.reduce.fmin.v16f32", _FLOAT, x), operands=1, result=types.float32
)
"""The least of the sixteen."""

_INFINITY, _SIGN = 0x7F800000, 0x7FFFFFFF


def _unfit(builder: Any, x: Any) -> Any:
    bits = builder.bitcast(x, _INTS)
    is_nan = builder.icmp_signed(">", builder.and_(bits, _of(_SIGN, _INTS)), _of(_INFINITY, _INTS))
    is_lowest = builder.icmp_signed("==", bits, _of(_INFINITY - (1 << 31), _INTS))
    return builder.select(builder.or_(is_nan, is_lowest), _of(1.0), _of(0.0))


unfit = _operation(_unfit, operands=1)
"""One where NaN or minus infinity is, else zero; by the bits, since arithmetic is compiled for numbers alone."""

below = _operation(
    lambda builder, x, y: builder.select(
        builder.icmp_signed("<", builder.bitcast(x, _INTS), builder.bitcast(y, _INTS)), _of(1.0), _of(0.0)
    ),
    operands=2,
)
"""One where x, which may be infinite, is less than a positive y, else zero."""


def _exp(builder: Any, x: Any) -> Any:
    """Write x = k log 2 + r, and e^r as a polynomial of degree 5; k is rounded by adding what leaves no room behind.

    Below e^-60 the result is zero: such entries change no sum of float32, and their products would be denormal.
    """

    def fused(*factors: Any) -> Any:
        return _call(builder, "llvm.fmuladd.v16f32", _FLOATS, *factors, fast=False)

    is_above = builder.fcmp_ordered(">", x, _of(-60.0))
    x = _extreme("<")(builder, _extreme(">")(builder, x, _of(-60.0)), _of(87.0))
    shifted = fused(x, _of(1.4426950408889634), _of(12582912.0))
    k = builder.fsub(shifted, _of(12582912.0))
    r = fused(k, _of(-0.6931471805599453), x)
    series = _of(0.008312497)
    for coefficient in (0.04189033, 0.16667115, 0.4999923, 1.0, 1.0):
        series = fused(series, r, _of(coefficient))
    power = builder.shl(builder.bitcast(shifted, _INTS), _of(23, _INTS))
    scaled = builder.bitcast(builder.add(builder.bitcast(series, _INTS), power), _FLOATS)
    return builder.select(is_above, scaled, _of(0.0))


exp = _operation(_exp, operands=1)
"""The exponential, to a relative 2e-7 between -60 and 87; zero below, and that of 87 above."""


def _log(builder: Any, x: Any) -> Any:
    """Write x = 2^k m, with m around 1, and log m as a series in (m - 1) / (m + 1)."""
    half_root = 0x3F3504F3  # the bits of the square root of 1/2
    bits = builder.sub(builder.bitcast(x, _INTS), _of(half_root, _INTS))
    k = builder.sitofp(builder.ashr(bits, _of(23, _INTS)), _FLOATS)
    mantissa = builder.add(builder.and_(bits, _of(0x7FFFFF, _INTS)), _of(half_root, _INTS))
    m = builder.bitcast(mantissa, _FLOATS)
    s = builder.fdiv(builder.fsub(m, _of(1.0)), builder.fadd(m, _of(1.0)), flags=_FAST)
    t = builder.fmul(s, s)
    series = _of(0.22222222)
    for coefficient in (0.2857143, 0.4, 0.6666667, 2.0):
        series = builder.fadd(builder.fmul(series, t, flags=_FAST), _of(coefficient), flags=_FAST)
    product = builder.fmul(s, series, flags=_FAST)
    return builder.fadd(builder.fmul(k, _of(0.6931471805599453), flags=_FAST), product, flags=_FAST)


log = _operation(_log, operands=1)
"""The logarithm of positive normal numbers, to 2e-7."""


def _place(context: Any, builder: Any, kind: types.Array, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _FLOATS.as_pointer())


def _is_flat(kind: Any) -> bool:
    return isinstance(kind, types.Array) and kind.ndim == 1 and kind.layout == "C" and kind.dtype == types.float32


@intrinsic
def load(context, array, index):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Read sixteen entries of a flat array from the index on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        lanes = builder.load(_place(context, builder, signature.args[0], *values))
        lanes.align = 4
        return lanes

    return (LANES(array, types.intp), generate) if _is_flat(array) else None


@intrinsic
def store(context, array, index, lanes):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Write sixteen entries of a flat array from the index on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _place(context, builder, signature.args[0], *values[:2])).align = 4
        return context.get_dummy_value()

    return (types.none(array, types.intp, LANES), generate) if _is_flat(array) else None


@intrinsic
def spread_from(context, array, index):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Read one entry of a flat array, sixteen times."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return _spread(context, builder, types.float32, builder.load(builder.gep(data, [values[1]])))

    return (LANES(array, types.intp), generate) if _is_flat(array) else None


def _first(builder: Any, count: Any) -> Any:
    """Build the mask that is true for the first lanes."""
    nothing = ir.Constant(_INTS, ir.Undefined)
    number = builder.insert_element(nothing, builder.trunc(count, _INT), _INT(0))
    spread_out = builder.shuffle_vector(number, nothing, _of(0, _INTS))
    return builder.icmp_signed("<", ir.Constant(_INTS, list(range(COUNT))), spread_out)


@intrinsic
def load_part(context, array, index, count):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Read the first entries alone, all where the count is sixteen or more, and zeros for the others."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _place(context, builder, signature.args[0], *values[:2])
        mask = _first(builder, values[2])
        return _call(builder, "llvm.masked.load.v16f32.p0", _FLOATS, place, _INT(4), mask, _of(0.0), fast=False)

    return (LANES(array, types.intp, types.intp), generate) if _is_flat(array) else None


@intrinsic
def store_part(context, array, index, lanes, count):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Write the first entries alone, all where the count is sixteen or more."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _place(context, builder, signature.args[0], *values[:2])
        mask = _first(builder, values[3])
        _call(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), values[2], place, _INT(4), mask, fast=False)
        return context.get_dummy_value()

    return (types.none(array, types.intp, LANES, types.intp), generate) if _is_flat(array) else None


@intrinsic
def transpose(context, source, start, stride, target, place, target_stride):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Write the transpose of a block of sixteen by sixteen entries of one flat array to another."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        source, start, stride, target, place, target_stride = values
        kinds = signature.args
        rows = []
        for row in range(COUNT):
            index = builder.add(start, builder.mul(stride, stride.type(row)))
            rows.append(builder.load(_place(context, builder, kinds[0], source, index)))
            rows[-1].align = 4
        for distance in (1, 2, 4, 8):  # swap the off-diagonal blocks of this size
            kept = [lane + (COUNT - distance if lane & distance else 0) for lane in range(COUNT)]
            moved = [lane + (COUNT if lane & distance else distance) for lane in range(COUNT)]
            for row in range(COUNT):
                if not row & distance:
                    pair = rows[row], rows[row + distance]
                    rows[row] = builder.shuffle_vector(*pair, ir.Constant(_INTS, kept))
                    rows[row + distance] = builder.shuffle_vector(*pair, ir.Constant(_INTS, moved))
        for row in range(COUNT):
            index = builder.add(place, builder.mul(target_stride, target_stride.type(row)))
            builder.store(rows[row], _place(context, builder, kinds[3], target, index)).align = 4
        return context.get_dummy_value()

    if not (_is_flat(source) and _is_flat(target)):
        return None
    return types.none(source, types.intp, types.intp, target, types.intp, types.intp), generate
