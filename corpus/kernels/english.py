"""Exceptions to the rules for words: English contractions, abbreviations, emoticons (spaCy 3.8's list, MIT)."""

from __future__ import annotations

import itertools

_UNITS = """
km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa
mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с км/ч
кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ كم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ غرام جرام جم كغ ملغ كوب
"""
_EMOTICONS = r"""
:) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-) (; (-; :( :-( :(( :-((
:((( :-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O :o :-o :0 :-0 :() >:o :*
:-* :3 :-3 =3 :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.< ._. ;_; -_- -__-
v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33 <333 </3 (^_^) (-_-) (._.) (>_<)
(*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*> ' \") <space> '' C++ — \t \n
"""
_WHOLE = """
a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. s. t. u. v. w. x. y. z. ä. ö. ü. 'S 's ‘S ‘s and/or w/o 're 'Cause
'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout ma'am Ma'am o'clock O'clock lovin' Lovin' havin' Havin' doin' Doin' goin'
Goin' nothin' Nothin' nuthin' Nuthin' ol' Ol' somethin' Somethin' 'em 'll 'nuff 'd Mt. Ak. Ala. Apr. Ariz. Ark. Aug.
Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun. Kan. Kans. Ky. La. Mar. Mass. Mich. Minn.
Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis. a.m.
Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov. i.e. I.e. I.E. Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs.
Ms. p.m. Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s.
"""
_CUT = """
y'|all y|all how|'d|'y How|'d|'y not|'ve not|ve Not|'ve Not|ve can|not Can|not gon|na Gon|na got|ta Got|ta let|'s Let|'s
c'm|on C'm|on °|c|. °|f|. °|k|. °|C|. °|F|. °|K|.
"""
# Words that the rules below would take for a contraction without its apostrophe.
_NOT = "Ill ill Its its Hell hell Shell shell Shed shed were Were Well well Whore whore"
_AFTER = {
    "'m 'm|a": "i",
    "'ll 'll|'ve 'd 'd|'ve": "i you he she it we they who what when where why how there that this these those",
    "'ve": "i you we they could might must should would",
    "'re": "you we they",
    "'s": "he she it who what when where why how there that this",
    "'re 've": "who what when where why how there these those",
    "n't n't|'ve": "ca could do does did had may might must need ought sha should wo would",
    "n't": "ai are is was were have has dare",
}


def contractions() -> dict[str, tuple[str, ...]]:
    """Each exception with the words it is cut into, in both kinds of apostrophe, some 1,300."""
    found: dict[str, tuple[str, ...]] = {text: (text,) for text in (_EMOTICONS + _WHOLE).split()}
    excluded = _NOT.split()
    for endings, stems in _AFTER.items():
        for ending, stem in itertools.product(endings.split(), stems.split()):
            for word, tail in itertools.product((stem, stem.title()), (ending, ending.replace("'", ""))):
                if word + tail not in excluded:
                    found[word + tail.replace("|", "")] = (word, *tail.split("|"))
    for text in _CUT.split():
        found[text.replace("|", "")] = tuple(text.split("|"))
    for hour, period in itertools.product(range(1, 13), ("a.m.", "am", "p.m.", "pm")):
        found[f"{hour}{period}"] = (str(hour), period)
    for text, parts in list(found.items()):
        found.setdefault(text.replace("'", "’"), tuple(part.replace("'", "’") for part in parts))
    return found


def units() -> list[str]:
    """Units of measure that are cut off after a digit."""
    return _UNITS.split()
