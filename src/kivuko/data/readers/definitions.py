"""Translations in what a dictionary says of a word, which is text for people."""

import re

from kivuko.data.tidying import resolve_references

_BREAK = re.compile(r"<(?:br|/p|/div|/li|/def|/dtrn|/tr|/td)\b[^<>]*>", re.IGNORECASE)
# The word itself, its sound, its part of speech, examples and comments (XDXF). The search for the end of one stops
# where the next begins, or many without an end would take forever.
_DROPPED = re.compile(r"<(k|tr|abr|abbr|ex|co|gr|pos|su)\b[^<>]*>(?:(?!<\1\b).)*?</\1>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|<[^<>]*>|\{[^{}]*\}|(?<!\S)/[^/\n]+/(?!\S)|(?<!\S)\\[^\\\n]+\\(?!\S)")
_NUMBERING = re.compile(r"^\s*(?:(?:\d+|[a-zA-Z])[.)](?=\s)|[-*•]\s)\s*")
_LABEL = re.compile(r"^\s*[\w ]{1,20}:(?=\s|$)")
_EXAMPLE = re.compile(r"^\s*[\"“«]")
# FreeDict's Hindi has a tilde between words that belong together.
_TIE = re.compile(r"(?<=\w)~(?=\w)")
_SEPARATOR = re.compile(r"[;,،؛、]")


def plain_text(markup: str) -> str:
    """Take HTML, Pango mark-up or XDXF out of a definition, with what is no translation in it.

    Example:
        >>> plain_text("<k>dog</k><br/><b>mbwa</b> <ex>a dog barks</ex>").strip()
        'mbwa'
    """
    return resolve_references(_TAG.sub("", _BREAK.sub("\n", _DROPPED.sub("", markup))))


def translations_in(text: str, headword: str) -> tuple[str, ...]:
    r"""Return the translations that a definition lists, in order, each once.

    A line that repeats the headword, examples in quotation marks, what stands in brackets or between slashes, and what
    has a label (`Synonyms:`) is left out.

    Example:
        >>> translations_in('dog /dɒg/ <n>\n 1. mbwa, jibwa (big)\n 2. mbwa; "a dog" - mbwa\nSee also: cat', "dog")
        ('mbwa', 'jibwa')
    """
    found: dict[str, None] = {}
    for number, line in enumerate(text.split("\n")):
        stripped = " ".join(_TIE.sub(" ", _BRACKETS.sub(" ", line)).split())
        if number == 0 and stripped.casefold().startswith(headword.casefold()):
            rest = stripped[len(headword) :]
            stripped = rest.lstrip(" :-–—=") if not rest[:1].isalpha() else stripped
        stripped = _NUMBERING.sub("", stripped)
        if _EXAMPLE.match(stripped) or _LABEL.match(stripped):
            continue
        for part in _SEPARATOR.split(stripped):
            translation = part.strip(" .-–—=:")
            if any(letter.isalpha() for letter in translation) and not _EXAMPLE.match(translation):
                found[translation] = None
    return tuple(found)
