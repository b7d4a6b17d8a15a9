"""What passages can be filtered by, so that a filter that can find nothing is refused and not answered with nothing."""

import json
from collections.abc import Collection, Mapping
from enum import StrEnum

from kivuko.search.flat import FlatStore
from kivuko.search.index import Index
from kivuko.search.store import TEXTS, FieldValue, OpenStore

LOOKED_THROUGH = 100_000  # passages of Qdrant; where there are more, their fields are not known
SHOWN = 20  # names in a message


class FieldKind(StrEnum):
    """What a field's values are."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"


def kind_of(value: FieldValue) -> FieldKind:
    """Say what a value is.

    Example:
        >>> [str(kind_of(value)) for value in ("sw", 2024, 0.5, True)]
        ['string', 'number', 'number', 'boolean']
    """
    if isinstance(value, str):
        return FieldKind.STRING
    return FieldKind.BOOLEAN if isinstance(value, bool) else FieldKind.NUMBER


def read_value(text: str, kinds: Collection[FieldKind] | None) -> FieldValue:
    """Read a value as it is written on a command line: as in JSON, but as it stands where that suits the field.

    Args:
        text: What was written.
        kinds: The kinds of the field's values; `None` if they are not known.

    Example:
        >>> read_value("12", {FieldKind.NUMBER}), read_value("12", {FieldKind.STRING}), read_value('"12"', None)
        (12, '12', '12')
        >>> read_value("true", None), read_value("Dodoma", None)
        (True, 'Dodoma')
    """
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(read, str | int | float):
        return text
    if kinds is not None and kind_of(read) not in kinds and FieldKind.STRING in kinds:
        return text
    return read


def field_kinds(index: Index | OpenStore) -> dict[str, frozenset[FieldKind]] | None:
    """Say what can be filtered by, and of which kinds the values are, from reading all passages.

    Returns:
        The kinds by field, no field for an index, which keeps none. `None` if Qdrant holds too many passages to read.
    """
    if isinstance(index, Index):
        return {}
    if not isinstance(index, FlatStore) and len(index) > LOOKED_THROUGH:
        return None
    kinds = {name: {FieldKind.STRING} for name in TEXTS}
    for passage in index.passages():
        for name, value in passage.fields.items():
            kinds.setdefault(name, set()).add(kind_of(value))
    return {name: frozenset(found) for name, found in kinds.items()}


def filter_faults(where: Mapping[str, FieldValue], known: Mapping[str, frozenset[FieldKind]] | None) -> dict[str, str]:
    """Say what is wrong with a filter: for each field that is unknown, or never has such a value, what was expected.

    Args:
        where: The filter.
        known: What `field_kinds` returned.

    Example:
        >>> filter_faults({"year": "2024"}, {"year": frozenset({FieldKind.NUMBER})})
        {'year': 'Expected a number'}
    """
    if known is None:
        return {}
    if not known:
        return dict.fromkeys(where, "Expected no filter: this collection keeps nothing to filter by")
    faults = {}
    for name, value in where.items():
        if name not in known:
            more = ", …" if len(known) > SHOWN else ""
            faults[name] = f"Expected one of the fields {', '.join(sorted(known)[:SHOWN])}{more}"
        elif kind_of(value) not in known[name]:
            faults[name] = f"Expected a {' or a '.join(sorted(known[name]))}"
    return faults
