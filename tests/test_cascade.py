"""The classifier of `cascade`: pages of many scripts and kinds, the forest against LightGBM, the model file, training."""

from __future__ import annotations

import hashlib
import math
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import CorpusError
from corpus.extract.cascade import choice, context, features, forest
from corpus.extract.cascade import model as models
from corpus.extract.cascade.extractor import extract, text_of
from corpus.extract.cascade.training import fit as training
from corpus.extract.cascade.training.labels import labelled
from corpus.extract.cascade.training.pages import TrainingPage
from corpus.extract.page import LimitError
from corpus.kernels import html as h

ROOT = Path(__file__).parent.parent
# Words of menus, a title, a copyright line, paragraphs.
SCRIPTS = {
    "Chinese": ("首页 新闻 体育 财经 娱乐 科技 汽车 房产 登录 注册", "黄河岸边的古老磨坊", "版权所有 © 2023 新闻网 保留所有权利",
        ["这座古老的磨坊建于十八世纪,位于河流转弯处,多年来一直为附近的村庄提供面粉。当地居民说,每到春天,河水上涨,磨坊的水轮就会发出低沉的声音。",
         "去年夏天,村民们决定修复这座建筑。他们筹集了资金,邀请了木匠和石匠,用传统的方法更换了腐朽的横梁,并重新铺设了屋顶。",
         "现在,磨坊每个星期六向游客开放。孩子们可以亲手把麦子倒进石磨,看着面粉慢慢地流出来,然后带一小袋回家做面包。"]),
    "Japanese": ("ホーム ニュース スポーツ 経済 文化 天気 ログイン 会員登録", "川沿いの古い水車小屋", "© 2023 ニュースサイト 無断転載を禁じます",
        ["この古い水車小屋は十八世紀に建てられ、川の曲がり角に立っています。長い間、近くの村に小麦粉を届けてきました。春になると水かさが増し、水車の低い音が村中に響きます。",
         "昨年の夏、村の人々はこの建物を修復することに決めました。資金を集め、大工と石工を招き、昔ながらの方法で腐った梁を取り替え、屋根を葺き直しました。",
         "現在、水車小屋は毎週土曜日に公開されています。子どもたちは自分の手で小麦を石臼に入れ、粉がゆっくり出てくる様子を見ることができます。"]),
    "Thai": ("หน้าแรก ข่าว กีฬา เศรษฐกิจ บันเทิง สุขภาพ เข้าสู่ระบบ", "โรงสีเก่าริมแม่น้ำ", "สงวนลิขสิทธิ์ © 2566 เว็บไซต์ข่าว",
        ["โรงสีเก่าแห่งนี้สร้างขึ้นในศตวรรษที่สิบแปด ตั้งอยู่ตรงโค้งแม่น้ำ และได้ผลิตแป้งให้หมู่บ้านใกล้เคียงมาหลายปี ชาวบ้านเล่าว่าทุกฤดูใบไม้ผลิ เมื่อน้ำสูงขึ้น กังหันน้ำจะส่งเสียงต่ำไปทั่วหมู่บ้าน",
         "เมื่อฤดูร้อนปีที่แล้ว ชาวบ้านตัดสินใจซ่อมแซมอาคารหลังนี้ พวกเขารวบรวมเงิน เชิญช่างไม้และช่างหินมาเปลี่ยนคานที่ผุพังด้วยวิธีดั้งเดิม และมุงหลังคาใหม่ทั้งหมด",
         "ปัจจุบันโรงสีเปิดให้นักท่องเที่ยวเข้าชมทุกวันเสาร์ เด็กๆ สามารถเทข้าวสาลีลงในโม่หินด้วยมือของตัวเอง และดูแป้งค่อยๆ ไหลออกมา"]),
    "Arabic": ("الرئيسية أخبار رياضة اقتصاد ثقافة صحة تسجيل", "الطاحونة القديمة على ضفة النهر", "جميع الحقوق محفوظة © 2023 موقع الأخبار",
        ["بنيت هذه الطاحونة القديمة في القرن الثامن عشر عند منعطف النهر، وظلت سنوات طويلة تزود القرى المجاورة بالدقيق. ويقول السكان إن صوت عجلة الماء يسمع في القرية كلها عندما يرتفع النهر في الربيع.",
         "في الصيف الماضي قرر أهل القرية ترميم المبنى، فجمعوا المال ودعوا النجارين والبنائين، واستبدلوا العوارض التالفة بالطرق التقليدية، ثم أعادوا بناء السقف.",
         "تفتح الطاحونة أبوابها الآن للزوار كل يوم سبت. ويمكن للأطفال أن يضعوا القمح في الرحى بأيديهم، وأن يشاهدوا الدقيق وهو يخرج ببطء، ثم يأخذوا كيسا صغيرا إلى البيت."]),
    "Hebrew": ("ראשי חדשות ספורט כלכלה תרבות בריאות כניסה", "הטחנה הישנה על גדת הנהר", "כל הזכויות שמורות © 2023 אתר החדשות",
        ["הטחנה הישנה נבנתה במאה השמונה עשרה בעיקול הנהר, ובמשך שנים רבות סיפקה קמח לכפרים הסמוכים. התושבים מספרים שבכל אביב, כשהמים עולים, נשמע קול הגלגל בכל הכפר.",
         "בקיץ שעבר החליטו אנשי הכפר לשקם את המבנה. הם אספו כסף, הזמינו נגרים וסתתים, החליפו את הקורות הרקובות בשיטות המסורתיות, ובנו מחדש את הגג.",
         "כיום הטחנה פתוחה למבקרים בכל יום שבת. הילדים יכולים לשפוך את החיטה לתוך אבני הריחיים במו ידיהם, לראות את הקמח יוצא לאט, ולקחת שקית קטנה הביתה."]),
    "Hindi": ("होम समाचार खेल व्यापार मनोरंजन स्वास्थ्य लॉगिन", "नदी किनारे की पुरानी चक्की", "सर्वाधिकार सुरक्षित © 2023 समाचार साइट",
        ["यह पुरानी चक्की अठारहवीं सदी में नदी के मोड़ पर बनाई गई थी और कई वर्षों तक आसपास के गाँवों को आटा देती रही। गाँव के लोग बताते हैं कि हर वसंत में, जब पानी बढ़ता है, तब पहिये की आवाज़ पूरे गाँव में सुनाई देती है।",
         "पिछली गर्मियों में गाँव वालों ने इस इमारत की मरम्मत करने का फ़ैसला किया। उन्होंने पैसा इकट्ठा किया, बढ़ई और राजमिस्त्री बुलाए, सड़ी हुई कड़ियाँ पुराने तरीके से बदलीं, और छत नई बनाई।",
         "अब चक्की हर शनिवार को दर्शकों के लिए खुलती है। बच्चे अपने हाथों से गेहूँ डाल सकते हैं, आटे को धीरे-धीरे निकलते देख सकते हैं, और एक छोटी थैली घर ले जा सकते हैं।"]),
    "Russian": ("Главная Новости Спорт Экономика Культура Здоровье Войти", "Старая мельница на берегу реки", "Все права защищены © 2023 Новостной сайт",
        ["Старая мельница была построена в восемнадцатом веке на излучине реки и долгие годы снабжала мукой окрестные деревни. Жители рассказывают, что каждую весну, когда поднимается вода, шум колеса слышен во всей деревне.",
         "Прошлым летом жители решили восстановить здание. Они собрали деньги, пригласили плотников и каменщиков, заменили сгнившие балки старинным способом и заново покрыли крышу.",
         "Теперь мельница открыта для гостей каждую субботу. Дети могут сами засыпать зерно в жернова, посмотреть, как медленно сыплется мука, и взять маленький мешочек домой."]),
    "Greek": ("Αρχική Νέα Αθλητικά Οικονομία Πολιτισμός Υγεία Σύνδεση", "Ο παλιός μύλος στην όχθη του ποταμού", "Με επιφύλαξη παντός δικαιώματος © 2023 Νέα",
        ["Ο παλιός μύλος χτίστηκε τον δέκατο όγδοο αιώνα στη στροφή του ποταμού και για πολλά χρόνια έδινε αλεύρι στα γύρω χωριά. Οι κάτοικοι λένε ότι κάθε άνοιξη, όταν ανεβαίνει το νερό, ο ήχος της ρόδας ακούγεται σε όλο το χωριό.",
         "Το περασμένο καλοκαίρι οι χωρικοί αποφάσισαν να επισκευάσουν το κτίριο. Μάζεψαν χρήματα, κάλεσαν ξυλουργούς και χτίστες, άλλαξαν τα σάπια δοκάρια με τον παραδοσιακό τρόπο, και έφτιαξαν ξανά τη στέγη.",
         "Τώρα ο μύλος είναι ανοιχτός για τους επισκέπτες κάθε Σάββατο. Τα παιδιά μπορούν να ρίξουν μόνα τους το σιτάρι, να δουν το αλεύρι να βγαίνει αργά, και να πάρουν ένα σακουλάκι στο σπίτι."]),
    "Korean": ("홈 뉴스 스포츠 경제 문화 건강 로그인", "강가의 오래된 물레방앗간", "저작권자 © 2023 뉴스 사이트 무단 전재 금지",
        ["이 오래된 물레방앗간은 십팔 세기에 강이 굽이치는 곳에 세워졌으며, 오랫동안 이웃 마을에 밀가루를 공급해 왔다. 주민들은 봄마다 물이 불어나면 물레방아 소리가 온 마을에 들린다고 말한다.",
         "지난여름 마을 사람들은 이 건물을 고치기로 결정했다. 그들은 돈을 모으고 목수와 석공을 불러, 썩은 들보를 전통적인 방법으로 바꾸고 지붕을 새로 얹었다.",
         "이제 물레방앗간은 토요일마다 방문객에게 문을 연다. 아이들은 직접 밀을 맷돌에 넣고 가루가 천천히 나오는 모습을 본 다음, 작은 봉지를 집으로 가져갈 수 있다."]),
}  # fmt: skip
ENGLISH = [
    "The river runs past the old mill, and behind it lies the village where the fair is held each summer. For many years "
    "the mill gave flour to all the houses of the valley, and its wheel could be heard from the church.",
    "Last year the people of the village decided to repair it. They collected money, asked carpenters and masons for help, "
    "and replaced the rotten beams one by one, in the way that their grandfathers had done it.",
    "Now the mill is open on Saturdays. Children may pour the wheat between the stones with their own hands, watch the "
    "flour come out slowly, and take a small bag of it home to bake bread.",
]
MENU = "Home News Sport Business Culture Weather Subscribe Login Contact".split()


def links(words: list[str], name: str) -> str:
    return (
        f'<ul class="{name}">'
        + "".join(f'<li><a href="/{k}">{word}</a></li>' for k, word in enumerate(words))
        + "</ul>"
    )


def site(
    body: str, menu: list[str] = MENU, title: str = "The mill by the river", legal: str = "© 2023 All rights reserved"
) -> str:
    """A page as content management systems write it."""
    related = [f"{word} {title[::-1]}" for word in menu]
    return f"""<!doctype html><html lang="x"><head><meta charset="utf-8"><title>{title}</title></head><body>
<header class="site-header"><nav class="main-nav">{links(menu, "menu")}</nav></header>
<div class="breadcrumb"><a href="/">{menu[0]}</a> / <a href="/n">{menu[1]}</a></div>
<main><article class="post"><h1>{title}</h1><div class="meta"><time>2023-04-01</time></div>
<div class="entry-content">{body}</div></article>
<aside class="sidebar"><h3>{menu[1]}</h3>{links(related, "related")}</aside></main>
<footer class="site-footer">{links(menu[2:], "footer-links")}<p>{legal}</p></footer></body></html>"""


def paragraphs(texts: list[str]) -> str:
    return "".join(f"<p>{text}</p>\n" for text in texts)


def kept(page: str, wanted: list[str], unwanted: list[str]) -> None:
    text = text_of(page)
    assert [piece for piece in wanted if piece not in text] == []
    assert [piece for piece in unwanted if piece in text] == []


# --- pages


@pytest.mark.parametrize("script", SCRIPTS)
def test_articles_of_every_script(script: str) -> None:
    menu, title, legal, texts = SCRIPTS[script]
    words = menu.split()
    kept(
        site(paragraphs(texts), words, title, legal),
        texts,
        [legal, f"- {words[2]}", f"{words[1]} {title[::-1]}"],
    )


LAYOUT = f"""<html><head><title>The mill</title></head><body bgcolor=white><table width=100%><tr><td colspan=2><img src=logo.gif>
<a href=/>Home</a> | <a href=/n>News</a> | <a href=/c>Contact</a></td></tr><tr><td width=150 valign=top><font size=2>
{"".join(f"<a href=/{k}>{word}</a><br>" for k, word in enumerate(MENU))}</font></td><td valign=top><h2>The mill</h2>
<font face=arial>{"<p>".join(ENGLISH)}</font></td></tr><tr><td colspan=2><font size=1>Copyright 1999 The Web Company. All
rights reserved. <a href=/p>Privacy</a></font></td></tr></table></body></html>"""
BREAKS = f"""<html><body><div id=nav>{" ".join(f"<a href=/{word}>{word}</a>" for word in MENU)}</div><div id=content>
<b>The mill by the river</b><br><br>{"<br><br>".join(ENGLISH)}</div><div id=foot><a href=/i>Imprint</a> <a href=/p>Privacy
</a></div></body></html>"""
FORUM = site("").replace(
    '<div class="entry-content"></div>',
    "".join(
        f'<div class="post" id="p{k}"><div class="author"><a href="/u{k}">user{k}</a><br>Posts: {k * 31}</div>'
        f'<div class="message">{text}</div><div class="buttons"><a href="#r">Reply</a> <a href="#q">Quote</a></div></div>'
        for k, text in enumerate(ENGLISH)
    ),
)
MANUAL = site(
    f"<p>{ENGLISH[0]}</p><h2>How to mill</h2><p>Call the function with the wheat:</p>"
    "<pre><code class=language-python>import mill\n\nif wheat:\n    mill.grind(wheat, stones=2)\n</code></pre>"
    f"<p>{ENGLISH[1]}</p><table><tr><th>Name</th><th>Meaning</th></tr><tr><td><code>stones</code></td><td>how many stones "
    f"are used</td></tr><tr><td><code>speed</code></td><td>how fast they turn</td></tr></table><p>{ENGLISH[2]}</p>"
)


@pytest.mark.parametrize("page", [LAYOUT, BREAKS, FORUM, MANUAL], ids="layout breaks forum manual".split())
def test_kinds_of_pages_keep_their_text(page: str) -> None:
    kept(page, ENGLISH, ["Home | News", "- Subscribe", "News Sport", "Imprint", "Quote", "- Contact"])


def test_code_and_tables_of_a_manual() -> None:
    assert "\n\nimport mill\n\nif wheat:\n    mill.grind(wheat, stones=2)\n\n" in text_of(MANUAL)
    markdown = text_of(MANUAL, markdown=True)
    assert "\n\n## How to mill\n\n" in markdown
    assert "\n\n```\nimport mill\n\nif wheat:\n    mill.grind(wheat, stones=2)\n```\n\n" in markdown
    assert "| Name | Meaning |\n| --- | --- |\n| `stones` | how many stones are used |" in markdown


@pytest.mark.parametrize(
    "page", [LAYOUT, BREAKS, FORUM, MANUAL, *(site(paragraphs(s[3]), s[0].split(), s[1]) for s in SCRIPTS.values())]
)
def test_markdown_keeps_the_same_blocks(page: str) -> None:
    assert re.findall(r"\w+", text_of(page, markdown=True)) == re.findall(r"\w+", text_of(page))


def test_what_a_page_says_of_itself() -> None:
    head = '<meta name="author" content="A. Miller"><link rel="canonical" href="/mill"></head>'
    page = extract(
        site(paragraphs(ENGLISH)).replace("</head>", head).replace('lang="x"', 'lang="en-GB"'), "http://a.example/x?y"
    )
    assert page.text.removeprefix("The mill by the river\n\n") == "\n\n".join(ENGLISH)
    assert page[1:] == ("The mill by the river", "A. Miller", None, "en-GB", "http://a.example/mill")


@pytest.mark.parametrize("page", ["", " ", "<!-- -->", "<title>x</title>", "<div><p></p></div>", "\ud800", "<script>x"])
def test_pages_without_text(page: str) -> None:
    assert text_of(page).strip("?") == ""


def test_too_many_blocks_are_said_and_not_cut() -> None:
    with pytest.raises(LimitError, match=r"^more than 200000 blocks of text or 400000 elements$"):
        text_of("<p>x" * (h.MAX_BLOCKS + 9))


def test_the_same_in_every_process() -> None:
    pages = [LAYOUT, BREAKS, FORUM, MANUAL]
    script = "import sys, hashlib; from corpus.extract.cascade.extractor import text_of\n"
    script += (
        "print(hashlib.sha256('\\0'.join(map(text_of, reversed(sys.stdin.read().split('\\0')))).encode()).hexdigest())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], input="\0".join(pages), capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert ran.stdout.strip() == hashlib.sha256("\0".join(map(text_of, reversed(pages))).encode()).hexdigest()


# --- features and beliefs


def parsed(page: str, markdown: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return h.parse(np.frombuffer(page.encode(), np.uint8), markdown)[:4]


SNIPPETS = [*ENGLISH, *MENU, "中文。", "©", "<div class='nav'>", "</div>", "<p>", "<li>", "<a href=x>", "</a>", "<table><tr><td>", "</table>",
            "<article>", "<h1>", "<br>", "<br><br>", "<span hidden>", "</span>", "<div hidden>", "<code>", "</code>", "<img>", "1", "!"]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(SNIPPETS), max_size=40))
def test_features_are_finite_and_beliefs_between_0_and_1(parts: list[str]) -> None:
    model = models.load()
    text, blocks, nodes, tokens = parsed("".join(parts))
    rows = features.features(text, blocks, nodes, tokens, model.keys, model.weights)
    assert rows.shape == (len(blocks), features.N_FEATURES)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    beliefs = model.beliefs(text, blocks, nodes, tokens)
    assert beliefs.shape == (len(blocks),)
    assert ((beliefs > 0) & (beliefs < 1)).all()
    seen = context.with_context(rows, beliefs, blocks, nodes)
    assert seen.shape == (len(blocks), features.N_FEATURES + context.N_CONTEXT)
    assert np.isfinite(seen).all()
    assert np.array_equal(rows, features.features(*parsed("".join(parts), markdown=True), model.keys, model.weights))


def test_names_of_features() -> None:
    both = (*features.FEATURES, *context.CONTEXT)
    assert len(set(both)) == len(both) == features.N_FEATURES + context.N_CONTEXT


def test_values_of_features() -> None:
    page = "<div class=navBar><p>One, two. <a href=x>Three</a> 4!</p><p>Same</p><h2>B</h2><p aria-hidden=true><b>Same</b><br>x</p></div>"
    token = np.uint32(2166136261)
    with np.errstate(over="ignore"):
        for byte in b"nav":
            token = np.uint32((token ^ np.uint32(byte)) * np.uint32(16777619))
    keys, weights = np.zeros(8, np.uint32), np.zeros(8, np.float32)
    keys[int(token) & 7], weights[int(token) & 7] = token, -2.5
    rows = features.features(*parsed(page), keys, weights)
    at = {name: rows[:, number].tolist() for number, name in enumerate(features.FEATURES)}
    assert at["chars"] == [15, 4, 1, 5]
    assert at["words"] == [4, 1, 1, 2]
    assert at["stops"] == [2, 0, 0, 0]
    assert at["commas"] == [1, 0, 0, 0]
    assert at["digits"][0] == pytest.approx(1 / 15)
    assert at["link_share"] == pytest.approx([5 / 15, 0, 0, 0])
    assert at["bold_share"] == pytest.approx([0, 0, 0, 0.8])
    assert at["breaks"] == [0, 0, 0, 1]
    assert at["ends_stop"] == [1, 0, 0, 0]
    assert at["index"] == [0, 0.25, 0.5, 0.75]
    assert at["chars_before"] == pytest.approx([0, 0.6, 0.76, 0.8])
    assert at["chars_after"] == [10, 6, 5, 0]
    assert at["heading"] == [0, 0, 2, 2]
    assert at["since_heading"] == [-1, -1, 0, 1]
    assert at["depth"] == [2, 2, 2, 2]
    assert at["aria_hidden"] == [0, 0, 0, 1]
    assert at["in_p"] == [1, 1, 0, 1]
    assert at["token_near"] == [0, 0, 0, 0]
    assert at["token_up"] == [-2.5] * 4
    assert at["chars_previous2"] == [-1, -1, 15, 4]
    assert at["same_node_next"] == [0, 0, 0, -1]


# --- the forest


def boosted(rounds: int, rows: np.ndarray, labels: np.ndarray) -> Any:
    data = lightgbm.Dataset(rows, labels)
    return lightgbm.train(
        {"objective": "binary", "num_leaves": 15, "seed": 1, "verbose": -1, "num_threads": 1}, data, rounds
    )


def test_forest_is_lightgbm_s() -> None:
    rng = np.random.default_rng(1)
    rows = np.round(rng.normal(size=(1500, 6)), 2).astype(np.float32)
    labels = (rows[:, 0] + rows[:, 1] * rows[:, 2] + rng.normal(size=1500) / 2 > 0).astype(int)
    booster = boosted(90, rows, labels)
    ours = training._forest(booster).score(rows)
    stages = np.array([booster.predict(rows, raw_score=True, num_iteration=k) for k in (20, 40, 60, 80, 90)])
    # A row is asked no further once it is sure.
    stage = np.argmax(np.vstack([np.abs(stages[:-1]) > forest._SURE, np.ones((1, 1500), bool)]), axis=0)
    assert len(set(stage.tolist())) > 2
    np.testing.assert_allclose(ours, stages[stage, np.arange(1500)], atol=1e-5)


class Stump:
    """One split, as LightGBM tells of it."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def dump_model(self) -> dict[str, Any]:
        tree = {
            "split_feature": 0,
            "threshold": self.threshold,
            "left_child": {"leaf_value": -1.0},
            "right_child": {"leaf_value": 1.0},
        }
        return {"tree_info": [{"tree_structure": tree}, {"tree_structure": {"leaf_value": 0.25}}]}


@settings(max_examples=300, deadline=None)
@given(st.floats(-1e30, 1e30) | st.floats(width=32).filter(lambda x: abs(x) < 1e38), st.integers(-2, 2))
def test_thresholds_decide_floats_as_doubles_do(threshold: float, steps: int) -> None:
    value = np.float32(threshold)
    for _ in range(abs(steps)):
        value = np.nextafter(value, np.float32(math.copysign(np.inf, steps)))
    score = training._forest(Stump(threshold)).score(np.array([[value]], np.float32))
    assert score.tolist() == [-0.75 if float(value) <= threshold else 1.25]


def test_belief_grows_with_the_score() -> None:
    beliefs = forest.belief(np.array([-1e9, -3.0, -1.0, 0.0, 1.0, 3.0, 1e9]))
    assert (np.diff(beliefs) > 0).all()
    assert beliefs.tolist()[1:-1] == [0.125, 0.25, 0.5, 0.75, 0.875]


# --- the file


def test_the_model_file_is_what_its_arrays_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = models.load()
    data = model.dump()
    assert data == models.PATH.read_bytes()
    assert hashlib.sha256(data).hexdigest() == models.digest()
    assert len(data) < 500_000
    copy = tmp_path / "model.npz"
    copy.write_bytes(data)
    again = models.load(copy)
    assert again.dump() == data
    for branch in (model.first, model.second):
        count = len(branch.splits)
        assert ((branch.splits[:, 1:] < count) & (branch.splits[:, 1:] >= -len(branch.values))).all()
        assert ((branch.roots < count) & (branch.roots >= -len(branch.values))).all()
    assert model.first.splits[:, 0].max() < features.N_FEATURES
    assert model.second.splits[:, 0].max() < features.N_FEATURES + context.N_CONTEXT


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty"])
def test_a_damaged_model_is_refused(damage: str, tmp_path: Path) -> None:
    data = bytearray(models.PATH.read_bytes())
    data[1000] ^= 1
    path = tmp_path / "model.npz"
    path.write_bytes({"flipped": bytes(data), "cut": models.PATH.read_bytes()[:-1], "empty": b""}[damage])
    with pytest.raises(CorpusError) as caught:
        models.load(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (
        str(caught.value) == f"{path}: sha256 {found[:16]}..., not {models.digest()[:16]}...: install corpusmill again"
    )


# --- training


def training_page(
    number: int, collection: str = "adbar", gold: dict[str, Any] | None = None, html: str = ""
) -> TrainingPage:
    rng = random.Random(number)
    texts = [" ".join(rng.sample(" ".join(ENGLISH).split(), 40)) + "." for _ in range(6)]
    html = html or site(paragraphs(texts), rng.sample(MENU, 6), f"Page {number}", f"© {number} All rights reserved")
    return TrainingPage(collection, f"http://host{number % 17}.example/{number}", html, gold, *parsed(html))


def example(page: TrainingPage) -> training.Example:
    label = np.array([len(text) > 100 for text in page.texts], np.float32)
    return training.Example(page, label, np.ones(len(label), np.float32))


def test_training_is_repeatable_and_learns() -> None:
    examples = [example(training_page(number)) for number in range(51)]
    assert {each.page.fold for each in examples} == {0, 1, 2}
    model = training.fit(examples, (6, 6))
    assert training.fit(examples, (6, 6)).dump() == model.dump()
    assert (model.keys > 0).sum() > 5
    unseen = training_page(1000)
    beliefs = model.beliefs(unseen.text, unseen.blocks, unseen.nodes, unseen.tokens)
    assert (beliefs > model.threshold).tolist() == (example(unseen).label > 0.5).tolist()


LONG = [
    f"The {word} paragraph says what no other one says, {word} and again {word}."
    for word in "first second third".split()
]
PARTS = [
    "Menu",
    "More",
    LONG[0],
    "Short",
    LONG[1],
    "Note",
    LONG[2] + " But this is an advertisement that nobody wrote, and it is much longer than what stands before it.",
    "Menu",
]


@pytest.mark.parametrize(
    ("gold", "expected"),
    [
        ("\n".join(LONG), [0, 0, 1, 0, 1, 0, 0, 0]),
        # Short blocks count only between those that are there, in order.
        (f"{LONG[0]}\nShort\n{LONG[1]}\n{LONG[2]}", [0, 0, 1, 1, 1, 0, 0, 0]),
        (f"{LONG[0]}{LONG[1]}\nNote {LONG[2]}", [0, 0, 1, 0, 1, 1, 0, 0]),
        # Or where they are a line of their own.
        (f"Menu\n{LONG[0]}\n{LONG[1]}", [1, 0, 1, 0, 1, 0, 0, 1]),
        # White space, marks and case do not count.
        (LONG[0].upper().replace(" ", "  \n").replace(",", " -"), [0, 0, 1, 0, 0, 0, 0, 0]),
        (PARTS[6], [0, 0, 0, 0, 0, 0, 1, 0]),
        ("", [0] * 8),
    ],
)  # fmt: skip
def test_labels_by_the_whole_text(gold: str, expected: list[int]) -> None:
    page = training_page(1, gold={"text": gold}, html=paragraphs(PARTS))
    label, weight = labelled(page, ("", "", ""))
    assert label.tolist() == expected
    assert (weight > 0).all()


def test_labels_by_teachers_and_by_marks() -> None:
    page = training_page(1, html=paragraphs(PARTS))
    agreed = "\n".join(LONG[:2])
    label, weight = labelled(page, (agreed, agreed, agreed))
    assert label.tolist() == [0, 0, 1, 0, 1, 0, 0, 0]
    _, disputed = labelled(page, (agreed, LONG[0], LONG[0]))
    assert (disputed < weight).tolist() == [False] * 4 + [True] + [False] * 3
    marked = training_page(1, gold={"with": ["But this is an"], "without": ["second"]}, html=paragraphs(PARTS))
    label, weighed = labelled(marked, (agreed, agreed, agreed))
    assert label.tolist() == [0, 0, 1, 0, 0, 0, 1, 0]
    assert (weighed > weight).tolist() == [False] * 4 + [True, False, True, False]


def chosen(page: str, *believed: bool) -> list[int]:
    """What is written of a page when exactly these blocks are believed in."""
    _, blocks, nodes, _, _ = h.parse(np.frombuffer(page.encode(), np.uint8))
    assert len(blocks) == len(believed)
    return choice.kept(np.array(believed, np.float64), 0.5, blocks, nodes).tolist()


def test_a_heading_between_kept_blocks_is_kept() -> None:
    page = "<h1>a</h1><p>b</p><h2>c</h2><p>d</p><div>e</div><p>f</p><h2>g</h2>"
    assert chosen(page, False, True, False, True, False, True, False) == [1, 2, 3, 5]


def test_what_a_page_hides_is_no_text_unless_it_is_most_of_it() -> None:
    page = "<p>seen words</p><div hidden><p>no</p></div><p style='display: none'>no</p>"
    assert chosen(page, True, True, True) == [0]
    assert chosen("<body style='visibility:hidden'><p>seen</p>", True) == [0]
    assert chosen("<div style='display:none'><p>all that there is</p></div><p>x</p>", True, True) == [0, 1]


def test_where_nothing_is_believed_the_best_of_it_is_taken() -> None:
    _, blocks, nodes, _, _ = h.parse(np.frombuffer(b"<p>a</p><p>b</p><p>c</p>", np.uint8))
    assert choice.kept(np.array([0.2, 0.45, 0.3]), 0.5, blocks, nodes).tolist() == [1, 2]
    assert choice.kept(np.array([0.2, 0.1, 0.2]), 0.5, blocks, nodes).tolist() == []
