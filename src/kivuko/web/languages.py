"""How languages call themselves, and which way they are written."""

from typing import Literal

from kivuko.models.languages import flores_code
from kivuko.web.schemas import LanguageInfo

_OWN_NAMES = """
aa:Qafaraf af:Afrikaans ak:Akan am:አማርኛ ar:العربية as:অসমীয়া az:Azərbaycanca be:Беларуская bem:Ichibemba
bg:Български bm:Bamanankan bn:বাংলা ca:Català ceb:Cebuano ckb:کوردیی_ناوەندی cs:Čeština da:Dansk de:Deutsch
ee:Eʋegbe el:Ελληνικά en:English es:Español et:Eesti fa:فارسی ff:Fulfulde fi:Suomi fil:Filipino fon:Fɔngbè
fr:Français gu:ગુજરાતી ha:Hausa he:עברית hi:हिन्दी hr:Hrvatski hu:Magyar hy:Հայերեն id:Bahasa_Indonesia ig:Igbo
is:Íslenska it:Italiano ja:日本語 jv:Basa_Jawa ka:ქართული kab:Taqbaylit kk:Қазақша km:ភាសាខ្មែរ kn:ಕನ್ನಡ ko:한국어
ku:Kurdî ky:Кыргызча lg:Luganda ln:Lingála lo:ລາວ lt:Lietuvių luo:Dholuo lv:Latviešu mg:Malagasy mi:Māori
mk:Македонски ml:മലയാളം mn:Монгол mr:मराठी ms:Bahasa_Melayu mt:Malti my:မြန်မာ ne:नेपाली nl:Nederlands no:Norsk
nso:Sepedi ny:Chichewa om:Afaan_Oromoo or:ଓଡ଼ିଆ pa:ਪੰਜਾਬੀ pl:Polski ps:پښتو pt:Português rn:Ikirundi ro:Română
ru:Русский rw:Ikinyarwanda sd:سنڌي si:සිංහල sk:Slovenčina sl:Slovenščina sn:chiShona so:Soomaali sq:Shqip sr:Српски
ss:siSwati st:Sesotho su:Basa_Sunda sv:Svenska sw:Kiswahili ta:தமிழ் te:తెలుగు tg:Тоҷикӣ th:ไทย ti:ትግርኛ tl:Tagalog
tn:Setswana tr:Türkçe ts:Xitsonga tw:Twi ug:ئۇيغۇرچە uk:Українська ur:اردو uz:Oʻzbekcha ve:Tshivenḓa vi:Tiếng_Việt
wo:Wolof xh:isiXhosa yi:ייִדיש yo:Yorùbá zh:中文 zu:isiZulu
"""

_NAMES = dict(pair.split(":") for pair in _OWN_NAMES.split())
_RIGHT_TO_LEFT = {"Arab", "Hebr", "Syrc", "Thaa", "Nkoo", "Adlm", "Rohg", "Mand", "Samr"}


def describe_language(code: str) -> LanguageInfo:
    """Return what a list of languages shows of one.

    Example:
        >>> describe_language("yo")
        LanguageInfo(code='yo', name='Yorùbá', direction='ltr')
        >>> describe_language("ur").direction, describe_language("ff-Adlm").direction, describe_language("tlh").name
        ('rtl', 'rtl', 'tlh')
    """
    base, *subtags = code.split("-")
    scripts = [part for part in subtags if len(part) == 4] or [(flores_code(base) or "").partition("_")[2]]
    direction: Literal["ltr", "rtl"] = "rtl" if scripts[0] in _RIGHT_TO_LEFT else "ltr"
    return LanguageInfo(code=code, name=_NAMES.get(base, code).replace("_", " "), direction=direction)
