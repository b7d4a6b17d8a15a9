"""What of a text counts as a word, and what can be seen of it at all."""

import unicodedata

# Letters and a symbol without a shape: the fillers of Hangul, and the empty pattern of Braille.
_SHAPELESS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# Of what is not assigned: what never will be, and what is reserved for invisible characters.
_NEVER_LETTERS = frozenset(map(chr, (*range(0xFDD0, 0xFDF0), 0x2065, *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000))))


def has_word(text: str) -> bool:
    r"""Say whether there is a letter, a digit or a symbol in a text, as an emoji is.

    Punctuation, white space, controls, marks by themselves and invisible characters are none. Characters for private
    use, and those that Python does not know yet, are taken for letters.

    Example:
        >>> [has_word(text) for text in ("maji", "7", "🦁", "???", " \u200b", "\u0301")]
        [True, True, True, False, False, False]
    """
    return any(_is_letter(character) for character in text)


def is_visible(text: str) -> bool:
    r"""Say whether a text has a word or punctuation, so that it takes room where it is shown.

    Example:
        >>> [is_visible(text) for text in ("maji", "?", "\u200b", "\ufe0f")]
        [True, True, False, False]
    """
    return any(_is_letter(character) or unicodedata.category(character)[0] == "P" for character in text)


def _is_letter(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Cn":
        return not (ord(character) & 0xFFFE == 0xFFFE or character in _NEVER_LETTERS)
    return (category[0] in "LNS" and character not in _SHAPELESS) or category == "Co"
