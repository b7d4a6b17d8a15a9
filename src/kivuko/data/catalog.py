"""The public test collections that kivuko knows by name: what each is, its licence, and where its files come from."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from kivuko.errors import ConfigError


class Counts(NamedTuple):
    """Published sizes; None where none is known."""

    queries: int | None = None
    documents: int | None = None
    judgments: int | None = None


class Pair(NamedTuple):
    """The language of the queries and that of the documents."""

    queries: str
    documents: str

    def __str__(self) -> str:
        return f"{self.queries}-{self.documents}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A test collection.

    Attributes:
        name: What `--task` calls it.
        title: What it is.
        languages: ISO 639 codes, or words where there are very many.
        direction: Which side a single language after the colon stands for; the other side is English.
        measures: Its customary measures.
        splits: Its splits, the customary one first.
        licence: Under which terms its data may be used.
        citation: What to cite.
        source: Where to get it.
        layout: How the files lie in its folder, one pattern each.
        folders: Names of its folder inside the data directory.
        counts: Published sizes by `pair/split`, by split or `*`; of LAReQA by language.
    """

    name: str
    title: str
    languages: str
    direction: Literal["to English", "from English", "one language", "pool"]
    measures: str
    splits: tuple[str, ...]
    licence: str
    citation: str
    source: str
    layout: tuple[str, ...]
    folders: tuple[str, ...]
    counts: Mapping[str, Counts] = field(default_factory=dict)

    @property
    def argument(self) -> str:
        """What may follow the name: `:sw`."""
        return {"pool": "[:de,en]", "one language": ":sw"}.get(self.direction, ":sw or :sw-en").replace(
            "sw-en", "en-sw" if self.direction == "from English" else "sw-en"
        )

    def pair(self, languages: str) -> Pair:
        """Read `sw` or `sw-en`.

        Example:
            >>> [str(find_entry(name).pair("sw")) for name in ("afriqa", "ciral", "miracl")]
            ['sw-en', 'en-sw', 'sw-sw']

        Raises:
            ConfigError: If it is neither.
        """
        match languages.split("-"):
            case [one] if one:
                return {
                    "to English": Pair(one, "en"),
                    "from English": Pair("en", one),
                }.get(self.direction, Pair(one, one))
            case [queries, documents] if queries and documents:
                return Pair(queries, documents)
        raise ConfigError(f"Expected {self.name}{self.argument}, got {self.name}:{languages}.")

    def wanted(self, pair: Pair | None, split: str) -> Counts:
        """Return the sizes that were published for a pair of languages, None for a pool of all, and a split."""
        for key in (f"{pair}/{split}", split, "*"):
            if key in self.counts:
                return self.counts[key]
        return Counts()

    @property
    def where(self) -> str:
        """Say where to get what and where to put it."""
        lines = "\n".join(f"    {line}" for line in self.layout)
        return f"Get it from {self.source}. Unpack it so that DIR/{self.folders[0]}/ holds\n{lines}"


@cache
def catalog() -> Mapping[str, Entry]:
    """Return the collections by name, as `catalog.toml` describes them."""
    entries = tomllib.loads(files("kivuko.data").joinpath("catalog.toml").read_text(encoding="utf-8"))
    return {name: _entry(name, values) for name, values in entries.items()}


def find_entry(name: str) -> Entry:
    """Return a collection by name.

    Raises:
        ConfigError: If there is none of that name.
    """
    if name not in catalog():
        raise ConfigError(
            f"There is no task {name!r}. The tasks are {', '.join(catalog())}, irds:<id of ir_datasets>, "
            "hub:<owner/name> and beir:<folder>."
        )
    return catalog()[name]


def _entry(name: str, values: dict[str, Any]) -> Entry:
    counts = {key: Counts(*(size or None for size in sizes)) for key, sizes in values.pop("counts", {}).items()}
    lists = {key: tuple(values[key]) for key in ("splits", "layout", "folders")}
    return Entry(name=name, counts=counts, **(values | lists))
