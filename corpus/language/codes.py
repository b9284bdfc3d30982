"""Language codes: lid.176's labels, which codes of ISO 639-1, -2 and -3 mean the same, and what is near an unknown one.

Light: recipes are checked with it, without a model.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from functools import cache

UNDETERMINED = "und"  # ISO 639-2; text without letters

LID176 = frozenset(
    """af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb ckb co cs cv cy da de
    diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gu gv he hi hif hr hsb ht hu hy ia id ie ilo io
    is it ja jbo jv ka kk km kn ko krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn mr mrj ms mt
    mwl my myv mzn nah nap nds ne new nl nn no oc or os pa pam pfl pl pms pnb ps pt qu rm ro ru rue sa sah sc scn sco sd
    sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vep vi vls vo wa war wuu xal xmf yi yo yue
    zh""".split()
)

# ISO 639-1, 639-2/T and, where it differs, 639-2/B.
_ISO = """aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak be:bel bg:bul
bh:bih bi:bis bm:bam bn:ben bo:bod:tib br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:ces:cze cu:chu cv:chv
cy:cym:wel da:dan de:deu:ger dv:div dz:dzo ee:ewe el:ell:gre en:eng eo:epo es:spa et:est eu:eus:baq fa:fas:per ff:ful
fi:fin fj:fij fo:fao fr:fra:fre fy:fry ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau he:heb hi:hin ho:hmo hr:hrv
ht:hat hu:hun hy:hye:arm hz:her ia:ina id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido is:isl:ice it:ita iu:iku ja:jpn jv:jav
ka:kat:geo kg:kon ki:kik kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir la:lat
lb:ltz lg:lug li:lim ln:lin lo:lao lt:lit lu:lub lv:lav mg:mlg mh:mah mi:mri:mao mk:mkd:mac ml:mal mn:mon mr:mar
ms:msa:may mt:mlt my:mya:bur na:nau nb:nob nd:nde ne:nep ng:ndo nl:nld:dut nn:nno no:nor nr:nbl nv:nav ny:nya oc:oci
oj:oji om:orm or:ori os:oss pa:pan pi:pli pl:pol ps:pus pt:por qu:que rm:roh rn:run ro:ron:rum ru:rus rw:kin sa:san
sc:srd sd:snd se:sme sg:sag si:sin sk:slk:slo sl:slv sm:smo sn:sna so:som sq:sqi:alb sr:srp ss:ssw st:sot su:sun sv:swe
sw:swa ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi ty:tah ug:uig uk:ukr
ur:urd uz:uzb ve:ven vi:vie vo:vol wa:wln wo:wol xh:xho yi:yid yo:yor za:zha zh:zho:chi zu:zul"""
# Withdrawn codes, the main member of a macrolanguage, and lid.176's own names (Wikipedia's, where `als` is Alemannic).
_OTHER = """iw:he in:id ji:yi jw:jv mo:ro fil:tl nb:no cmn:zh arb:ar pes:fa swh:sw zsm:ms ekk:et lvs:lv khk:mn npi:ne
ory:or azj:az uzn:uz kmr:ku plt:mg ydd:yi gug:gn quy:qu gsw:als hbs:sh diq:zza bho:bh kpv:kv lzh:zh-Hant
zlm:ms nob:no als-Latn:sq"""
_REGIONS = {"CN": "Hans", "SG": "Hans", "TW": "Hant", "HK": "Hant", "MO": "Hant"}
_HAN = {"Hans", "Hant"}


@cache
def _names() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for entry in _ISO.split():
        short, *long = entry.split(":")
        found |= dict.fromkeys(long, short)
    for entry in _OTHER.split():
        other, _, name = entry.partition(":")
        found[other] = name
    return found


@cache
def canonical(code: str) -> tuple[str, str | None]:
    """(ISO 639-1 code where there is one, else 639-3, of the macrolanguage for its main member; ISO 15924 script).

    `eng`, `en`, `en-GB` and `eng_Latn` differ in the script alone, which is None where the code has none. `als` is
    Alemannic as in Wikipedia and lid.176, `als_Latn` is Tosk Albanian as in ISO 639-3.
    """
    language, *parts = code.strip().replace("_", "-").split("-")
    language = language.lower()
    script = next((part.title() for part in parts if len(part) == 4 and part.isalpha()), None)
    names = _names()
    base = names.get(f"{language}-{script}") or names.get(language) or language
    base, _, given = names.get(base, base).partition("-")
    if base == "zh" and script is None:
        script = next((_REGIONS[part.upper()] for part in parts if part.upper() in _REGIONS), given or None)
    return base, script


def same(a: str, b: str) -> bool:
    """Whether two codes name one language, and one script where both name any."""
    (left, one), (right, other) = canonical(a), canonical(b)
    if left != right:
        return False
    if one is None or other is None or one == other:
        return True
    return "Hani" in (one, other) and bool({one, other} & _HAN)


def left_out(keep: Collection[str]) -> str | None:
    """What a keep list of lid.176's labels loses unawares, in one line; None where it loses nothing.

    Wikipedia, on which lid.176 was trained, has all of bs, hr, sr and sh (Serbo-Croatian), in the same Latin letters.
    """
    kept = sorted({"bs", "hr", "sr"} & set(keep))
    if not kept or "sh" in keep:
        return None
    return (
        f"`keep` names {', '.join(kept)} without sh, the label of much of such text in Latin letters; keep both, "
        "with lower `thresholds`"
    )


def near(code: str, labels: Iterable[str], count: int = 3) -> list[str]:
    """Labels that mean the same as `code`, or else are spelt like it."""
    ordered = sorted(labels)
    found = [label for label in ordered if same(code, label)]
    return found[:count] or difflib.get_close_matches(code.lower(), ordered, n=count, cutoff=0.5)


def unknown(codes: Iterable[str], labels: Collection[str], model: str) -> str | None:
    """What is wrong with codes that the model has no label for, in one line; None where it has all of them."""
    faults = []
    for code in codes:
        if code not in labels and code != UNDETERMINED:
            close = near(code, labels)
            faults.append(f"{code!r}" + (f" (did you mean {' or '.join(close)}?)" if close else ""))
    return f"{model} has no label {', '.join(faults)}; it has {len(labels)} others" if faults else None
