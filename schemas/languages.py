"""Names of languages: what a recipe may write, and the labels of lid.176 that stand for them.

ISO 639 codes and English names of the 176 languages of fastText's language model (Joulin et al. 2016), whose labels
are mostly Wikipedia's. Scripts are ISO 15924.
"""

import difflib
import functools
import re
from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")

UNDETERMINED = "und"
"""ISO 639 for text whose language could not be told."""

LETTERS_AS_WORDS = frozenset({"ja", "km", "lo", "my", "th", "wuu", "yue", "zh"})
"""Labels of languages written without spaces, each of whose letters counts as a word (see `stages.kernels.words`)."""

# label; ISO 639-2 and 639-3 codes (more where a macrolanguage is usually met as one of its members); scripts; names
_TABLE = """
af|afr|Latn|Afrikaans
als|gsw|Latn|Alemannic,Swiss German
am|amh|Ethi|Amharic
an|arg|Latn|Aragonese
ar|ara,arb|Arab|Arabic
arz|arz|Arab|Egyptian Arabic
as|asm|Beng|Assamese
ast|ast|Latn|Asturian
av|ava|Cyrl|Avaric,Avar
az|aze,azj|Latn,Cyrl,Arab|Azerbaijani
azb|azb|Arab|South Azerbaijani
ba|bak|Cyrl|Bashkir
bar|bar|Latn|Bavarian
bcl|bcl|Latn|Central Bikol
be|bel|Cyrl|Belarusian
bg|bul|Cyrl|Bulgarian
bh|bih,bho|Deva|Bihari,Bhojpuri
bn|ben|Beng|Bengali,Bangla
bo|bod,tib|Tibt|Tibetan
bpy|bpy|Beng|Bishnupriya
br|bre|Latn|Breton
bs|bos|Latn,Cyrl|Bosnian
bxr|bxr|Cyrl|Buriat
ca|cat|Latn|Catalan,Valencian
cbk|cbk|Latn|Chavacano
ce|che|Cyrl|Chechen
ceb|ceb|Latn|Cebuano
ckb|ckb|Arab|Central Kurdish,Sorani
co|cos|Latn|Corsican
cs|ces,cze|Latn|Czech
cv|chv|Cyrl|Chuvash
cy|cym,wel|Latn|Welsh
da|dan|Latn|Danish
de|deu,ger|Latn|German
diq|diq|Latn|Zazaki,Dimli
dsb|dsb|Latn|Lower Sorbian
dty|dty|Deva|Dotyali
dv|div|Thaa|Dhivehi,Maldivian
el|ell,gre|Grek|Greek
eml|eml,egl|Latn|Emilian
en|eng|Latn|English
eo|epo|Latn|Esperanto
es|spa|Latn|Spanish,Castilian
et|est,ekk|Latn|Estonian
eu|eus,baq|Latn|Basque
fa|fas,per,pes|Arab|Persian,Farsi
fi|fin|Latn|Finnish
fr|fra,fre|Latn|French
frr|frr|Latn|Northern Frisian
fy|fry|Latn|Western Frisian
ga|gle|Latn|Irish
gd|gla|Latn|Scottish Gaelic
gl|glg|Latn|Galician
gn|grn,gug|Latn|Guarani
gom|gom|Deva,Latn|Goan Konkani,Konkani
gu|guj|Gujr|Gujarati
gv|glv|Latn|Manx
he|heb|Hebr|Hebrew
hi|hin|Deva|Hindi
hif|hif|Latn|Fiji Hindi
hr|hrv|Latn|Croatian
hsb|hsb|Latn|Upper Sorbian
ht|hat|Latn|Haitian,Haitian Creole
hu|hun|Latn|Hungarian
hy|hye,arm|Armn|Armenian
ia|ina|Latn|Interlingua
id|ind|Latn|Indonesian
ie|ile|Latn|Interlingue
ilo|ilo|Latn|Iloko,Ilocano
io|ido|Latn|Ido
is|isl,ice|Latn|Icelandic
it|ita|Latn|Italian
ja|jpn|Jpan|Japanese
jbo|jbo|Latn|Lojban
jv|jav|Latn|Javanese
ka|kat,geo|Geor|Georgian
kk|kaz|Cyrl|Kazakh
km|khm|Khmr|Khmer
kn|kan|Knda|Kannada
ko|kor|Hang,Kore|Korean
krc|krc|Cyrl|Karachay-Balkar
ku|kur,kmr|Latn|Kurdish,Northern Kurdish
kv|kom,kpv|Cyrl|Komi
kw|cor|Latn|Cornish
ky|kir|Cyrl|Kyrgyz,Kirghiz
la|lat|Latn|Latin
lb|ltz|Latn|Luxembourgish
lez|lez|Cyrl|Lezghian
li|lim|Latn|Limburgish
lmo|lmo|Latn|Lombard
lo|lao|Laoo|Lao
lrc|lrc|Arab|Northern Luri
lt|lit|Latn|Lithuanian
lv|lav,lvs|Latn|Latvian
mai|mai|Deva|Maithili
mg|mlg,plt|Latn|Malagasy
mhr|mhr|Cyrl|Eastern Mari,Meadow Mari
min|min|Latn|Minangkabau
mk|mkd,mac|Cyrl|Macedonian
ml|mal|Mlym|Malayalam
mn|mon,khk|Cyrl|Mongolian
mr|mar|Deva|Marathi
mrj|mrj|Cyrl|Western Mari,Hill Mari
ms|msa,may,zsm|Latn|Malay
mt|mlt|Latn|Maltese
mwl|mwl|Latn|Mirandese
my|mya,bur|Mymr|Burmese
myv|myv|Cyrl|Erzya
mzn|mzn|Arab|Mazanderani
nah|nah|Latn|Nahuatl
nap|nap|Latn|Neapolitan
nds|nds|Latn|Low German,Low Saxon
ne|nep,npi|Deva|Nepali
new|new|Deva|Newari,Newar
nl|nld,dut|Latn|Dutch,Flemish
nn|nno|Latn|Norwegian Nynorsk,Nynorsk
no|nor,nob,nb|Latn|Norwegian,Norwegian Bokmål,Bokmål
oc|oci|Latn|Occitan
or|ori,ory|Orya|Odia,Oriya
os|oss|Cyrl|Ossetian
pa|pan|Guru|Punjabi,Panjabi
pam|pam|Latn|Pampanga,Kapampangan
pfl|pfl|Latn|Palatine German
pl|pol|Latn|Polish
pms|pms|Latn|Piemontese
pnb|pnb|Arab|Western Punjabi
ps|pus,pbt|Arab|Pashto
pt|por|Latn|Portuguese
qu|que,quy|Latn|Quechua
rm|roh|Latn|Romansh
ro|ron,rum|Latn|Romanian,Moldovan
ru|rus|Cyrl|Russian
rue|rue|Cyrl|Rusyn
sa|san|Deva|Sanskrit
sah|sah|Cyrl|Yakut,Sakha
sc|srd|Latn|Sardinian
scn|scn|Latn|Sicilian
sco|sco|Latn|Scots
sd|snd|Arab,Deva|Sindhi
sh|hbs|Latn,Cyrl|Serbo-Croatian
si|sin|Sinh|Sinhala
sk|slk,slo|Latn|Slovak
sl|slv|Latn|Slovenian
so|som|Latn|Somali
sq|sqi,alb|Latn|Albanian
sr|srp|Cyrl,Latn|Serbian
su|sun|Latn|Sundanese
sv|swe|Latn|Swedish
sw|swa,swh|Latn|Swahili
ta|tam|Taml|Tamil
te|tel|Telu|Telugu
tg|tgk|Cyrl|Tajik
th|tha|Thai|Thai
tk|tuk|Latn|Turkmen
tl|tgl,fil|Latn|Tagalog,Filipino
tr|tur|Latn|Turkish
tt|tat|Cyrl|Tatar
tyv|tyv|Cyrl|Tuvinian,Tuvan
ug|uig|Arab|Uyghur
uk|ukr|Cyrl|Ukrainian
ur|urd|Arab|Urdu
uz|uzb,uzn|Latn,Cyrl|Uzbek
vec|vec|Latn|Venetian
vep|vep|Latn|Veps
vi|vie|Latn|Vietnamese
vls|vls|Latn|West Flemish
vo|vol|Latn|Volapük
wa|wln|Latn|Walloon
war|war|Latn|Waray
wuu|wuu|Hans,Hant,Hani|Wu Chinese
xal|xal|Cyrl|Kalmyk
xmf|xmf|Geor|Mingrelian
yi|yid,ydd|Hebr|Yiddish
yo|yor|Latn|Yoruba
yue|yue|Hant,Hans,Hani|Cantonese,Yue Chinese
zh|zho,chi,cmn|Hans,Hant,Hani|Chinese,Mandarin
"""


@functools.cache
def labels() -> tuple[str, ...]:
    """The 176 labels, sorted."""
    return tuple(line.split("|")[0] for line in _TABLE.strip().splitlines())


@functools.cache
def _names() -> dict[str, str]:
    """Label of every name in lower case. A label goes before another language's ISO code."""
    names: dict[str, str] = {}
    for line in _TABLE.strip().splitlines():
        label, codes, scripts, english = line.split("|")
        for name in (*codes.split(","), *english.lower().split(",")):
            names.setdefault(name, label)
        for code in (label, *codes.split(",")):
            for script in scripts.lower().split(","):
                names.setdefault(f"{code}_{script}", label)
    names.update({label: label for label in labels()})
    # the model follows Wikipedia, where `als` is Alemannic; with a script it is the ISO code of (Tosk) Albanian
    names["als_latn"] = "sq"
    return names


def find_language(name: str) -> str | None:
    """The label for `en`, `eng`, `eng_Latn`, `zh-Hans` or `English`, in any case; None for any other name."""
    key = name.strip().lower()
    names = _names()
    return names.get(key) or names.get(re.sub(r"[-_ ]+", "_", key))


@functools.cache
def _isos() -> dict[str, str]:
    """ISO 639-3 code and script of each label."""
    rows = (line.split("|") for line in _TABLE.strip().splitlines())
    return {label: f"{codes.split(',')[0]}_{scripts.split(',')[0]}" for label, codes, scripts, _ in rows}


def iso_of(label: str) -> str:
    """ISO 639-3 and ISO 15924 for the label of a model: `eng_Latn` for `en`, and for `eng_Latn`; other labels as they are.

    lid.176 tells no scripts: a language has the one it is mostly written in.
    """
    return label if _ISO.fullmatch(label) else _isos().get(label, label)


_ISO = re.compile("[a-z]{3}_[A-Z][a-z]{3}")


def by_label(values: Mapping[str, Value]) -> dict[str, Value]:
    """The entries of languages under their labels. Of two names for one language the label goes first, then the earlier."""
    found: dict[str, Value] = {name: value for name, value in values.items() if find_language(name) == name}
    for name, value in values.items():
        label = find_language(name)
        if label is not None:
            found.setdefault(label, value)
    return found


def language(name: str) -> str:
    """The label for a language's name or code. Raises `ValueError` with the nearest names if there is none."""
    label = find_language(name)
    if label is None:
        near = difflib.get_close_matches(name.strip().lower(), _names(), n=4, cutoff=0.5)
        hint = ", ".join(f"{match} ({_names()[match]})" if match != _names()[match] else match for match in near)
        raise ValueError(
            f"unknown language {name!r}; nearest: {hint or 'none'}. Expected an ISO 639 code (en, eng), one with its script "
            f"(eng_Latn) or an English name, of one of the {len(labels())} languages of lid.176"
        )
    return label
