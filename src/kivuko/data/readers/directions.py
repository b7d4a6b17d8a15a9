"""Which side of a dictionary is English, told by its name and by what it says of itself."""

import re
from collections.abc import Iterable
from itertools import pairwise

_ENGLISH = frozenset({"english", "eng", "en"})
_CODES = re.compile(r"(?<![^\W_])(?=([a-z]{2,3})[-_]([a-z]{2,3})(?![^\W_]))")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]+")
_BETWEEN = frozenset({"to", "into"})
_LISTED = """
abkhaz afar afrikaans akan albanian amharic arabic aragonese armenian assamese aymara azerbaijani bambara bashkir
basque belarusian bemba bengali bangla berber bislama bosnian breton bulgarian burmese myanmar cantonese catalan
cebuano chechen chewa chichewa chinese mandarin chuvash cornish corsican cree croatian czech danish dari dhivehi
dinka dutch dyula dzongkha esperanto estonian ewe faroese farsi fijian filipino finnish flemish fon french frisian
fula fulani gaelic galician ganda luganda georgian german gikuyu kikuyu greek greenlandic guarani gujarati haitian
creole hausa hawaiian hebrew hindi hmong hungarian icelandic ido igbo ilocano indonesian interlingua inuktitut irish
italian japanese javanese kabyle kannada kamba kashmiri kashubian kazakh khasi khmer kinyarwanda kirundi kiswahili
komi kongo korean kurdish kurmanji kyrgyz lao latin latvian lingala lithuanian luo luxembourgish macedonian malagasy
malay malayalam maltese manx maori marathi mende mizo moldovan mongolian mossi nahuatl navajo ndebele nepali
norwegian bokmal nynorsk nyanja occitan odia oriya oromo ossetian pali papiamento pashto persian polish portuguese
punjabi quechua romani romanian romansh rundi russian rwanda samoan sango sanskrit santali sardinian scots serbian
serbocroatian sepedi sesotho setswana shona sindhi sinhala sinhalese slovak slovene slovenian somali sorani sorbian
sotho spanish sundanese swahili swati swazi swedish tagalog tahitian tajik tamazight tamil tatar telugu tetum thai
tibetan tigrinya tongan tsonga tswana turkish turkmen twi tumbuka ukrainian umbundu urdu uyghur uzbek venda
vietnamese volapuk walloon waray welsh wolof xhosa yiddish yoruba zazaki zulu
"""
_NAMES = frozenset(_LISTED.split())


def english_is_first(texts: Iterable[str]) -> bool | None:
    """Say whether English is the first of the two languages that the first of some texts names which names two.

    Returns:
        None if no text names English and another language, or one names them both ways round.

    Example:
        >>> [english_is_first([text]) for text in ("freedict-swh-eng", "English to Swahili", "Oxford English")]
        [False, True, None]
    """
    for text in texts:
        words = [word for word in _WORD.findall(_HUMP.sub(" ", text).lower()) if word not in _BETWEEN]
        pairs = [(one, other) for one, other in pairwise(words) if {one, other} & _NAMES]
        found = {one in _ENGLISH for one, other in pairs + _CODES.findall(text.lower()) if is_between(one, other)}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def is_between(one: str, other: str) -> bool:
    """Say whether just one of two languages is English.

    Example:
        >>> is_between("eng", "swh"), is_between("en", "eng")
        (True, False)
    """
    return (one in _ENGLISH) != (other in _ENGLISH)
