"""Markdown of a page, read again by a Markdown parser: the structure must be that of the HTML."""

from __future__ import annotations

import html
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from corpus.extract.cascade.structure import write
from corpus.kernels import html as h

READER = MarkdownIt("commonmark").enable("table")
# ("p", text), ("h1", text), ("code", text), ("quote", blocks), ("ul" or "ol", items of blocks), ("table", rows).
Node = tuple[str, Any]


def written(page: str, markdown: bool = True) -> str:
    """The whole page, nothing left out."""
    text, blocks, nodes, _, whole = h.parse(np.frombuffer(page.encode(), np.uint8), markdown)
    assert whole
    return write(text, blocks, nodes, np.arange(len(blocks)), markdown)


def read(markdown: str) -> list[Node]:
    return merged([node for child in SyntaxTreeNode(READER.parse(markdown)).children for node in structure(child)])


def structure(node: SyntaxTreeNode) -> list[Node]:
    inside = [part for child in node.children if child.type != "inline" for part in structure(child)]
    match node.type:
        case "paragraph":
            return [("p", inline(node))]
        case "heading":
            return [(node.tag, inline(node))]
        case "fence":
            return [("code", node.content.removesuffix("\n"))]
        case "blockquote":
            return [("quote", merged(inside))]
        case "bullet_list" | "ordered_list":
            return [("ul" if node.type == "bullet_list" else "ol", [structure(item)[0][1] for item in node.children])]
        case "list_item":
            return [("item", merged(inside))]
        case "table":
            rows = [row for part in node.children for row in part.children]
            return [("table", [[inline(cell) for cell in row.children] for row in rows])]
        case kind:
            return [(kind, node.content)]


def inline(node: SyntaxTreeNode) -> str:
    """Marks inside a line are not escaped, so `a <b>` is read as HTML: that is text here."""
    kinds = {"softbreak": "\n", "hardbreak": "\n"}
    parts = []
    for child in node.children[0].children if node.children else []:
        code = f"«{child.content}»" if child.type == "code_inline" else f"<{child.type}>"
        parts.append(child.content if child.type in ("text", "html_inline") else kinds.get(child.type, code))
    return "".join(parts)


def merged(nodes: list[Node]) -> list[Node]:
    """Two lists of one kind, one behind the other, are one list in Markdown."""
    out: list[Node] = []
    for kind, content in nodes:
        if out and out[-1][0] == kind and kind in ("ul", "ol"):
            out[-1] = (kind, [*out[-1][1], *content])
        else:
            out.append((kind, content))
    return out


WORDS = ["word", "two words", "中文", "עברית", "a-b", "C#", "# a", "1. b", "12) c", "- d", "+ e", "> f", "-", "---", "===",
         "=", "~~~", "#", "***", "* * *", "___", "<div>", "</p>", "[x]: y", "a | b", "--- | ---", ":-:", "7.", "1986. x",
         "+1", "-1", "a #"]  # fmt: skip
CODE = ["x", "a`b", "`", "``", "a b", "x = [1]", "<b>", "*", "a|b", "&amp;"]
LINES = ["x = 1", "  y", "", "```", "````", "\tz", "# no", "- no", "<b>&amp;", "中"]
CELLS = ["a", "a b", "c|d", "«x|y»", "中", "# a", ""]


@st.composite
def inline_text(draw: st.DrawFn) -> str:
    word, code = draw(st.sampled_from(WORDS)), draw(st.sampled_from(CODE))
    return draw(st.sampled_from([word, f"«{code}»", f"{word} «{code}» z"])).strip()


@st.composite
def tree(draw: st.DrawFn, depth: int = 3) -> Node:
    kind = draw(st.integers(0, 6 if depth else 3))
    if kind == 0:
        return "p", "\n".join(draw(st.lists(inline_text(), min_size=1, max_size=3)))
    if kind == 1:
        return f"h{draw(st.integers(1, 6))}", draw(inline_text())
    if kind == 2:
        return "code", "\n".join(draw(st.lists(st.sampled_from(LINES), max_size=5))).strip("\n").rstrip() or "x"
    if kind == 3:
        rows = draw(st.lists(st.lists(st.sampled_from(CELLS), max_size=3), min_size=1, max_size=3))
        return "table", [["first", "second"], *(["first", *row] for row in rows)]
    if kind == 4:
        return "quote", draw(st.lists(tree(depth - 1), min_size=1, max_size=3))
    items = st.lists(tree(depth - 1), min_size=1, max_size=3)
    return ("ul" if kind == 5 else "ol"), draw(st.lists(items, min_size=1, max_size=3))


def as_html(node: Node, bare: bool = False) -> str:
    kind, content = node
    if kind == "table":
        rows = "".join(f"<tr>{''.join(f'<td>{marked(cell)}</td>' for cell in row)}</tr>" for row in content)
        return f"<table>{rows}</table>"
    if kind == "quote":
        return f"<blockquote>{''.join(map(as_html, content))}</blockquote>"
    if kind in ("ul", "ol"):
        items = ("".join(as_html(part, bare=k == 0) for k, part in enumerate(item)) for item in content)
        return f"<{kind}>{''.join(f'<li>{item}</li>' for item in items)}</{kind}>"
    if kind == "code":
        return f"<pre><code>{html.escape(str(content))}</code></pre>"
    text = marked(str(content)).replace("\n", "<br>")
    return text if bare and kind == "p" else f"<{kind}>{text}</{kind}>"


def marked(text: str) -> str:
    return html.escape(text).replace("«", "<code>").replace("»", "</code>")


def expected(nodes: list[Node]) -> list[Node]:
    """The tree as Markdown has it: headings in one line, rows of one length, no empty columns."""
    out: list[Node] = []
    for kind, content in nodes:
        if kind in ("ul", "ol"):
            content = [expected(item) for item in content]
        elif kind == "quote":
            content = expected(content)
        elif kind == "table":
            wide = [[*row, "", "", "", ""] for row in content]
            used = [k for k in range(4) if any(row[k] for row in wide)]
            content = [[row[k] for k in used] for row in wide]
        out.append((kind, content))
    return merged(out)


@settings(max_examples=250, deadline=None)
@given(st.lists(tree(), max_size=4))
def test_markdown_has_the_structure_of_the_page(nodes: list[Node]) -> None:
    markdown = written("".join(map(as_html, nodes)))
    assert read(markdown) == expected(nodes), markdown


@settings(max_examples=100, deadline=None)
@given(st.lists(tree(), max_size=4))
def test_plain_text_has_the_words_and_no_marks_but_those_of_items_and_cells(nodes: list[Node]) -> None:
    page = "".join(map(as_html, nodes))
    text, blocks, *_ = h.parse(np.frombuffer(page.encode(), np.uint8))
    pieces = "".join(text[row[h.START] : row[h.END]].tobytes().decode() for row in blocks)
    plain = written(page, markdown=False)
    assert re.sub(r"[-|\s]", "", plain) == re.sub(r"[-|\s]", "", pieces)


@pytest.mark.parametrize(
    ("page", "markdown", "plain"),
    [
        ("<ol><li>a<li>b<ol><li>c</ol><li>d<ol><li>e</ol></ol><ol><li>f</ol>",
         "1. a\n2. b\n   1. c\n3. d\n   1. e\n1. f", "- a\n- b\n  - c\n- d\n  - e\n- f"),
        ("<ol>" + "<li>x" * 10 + "<p>y</ol>", "".join(f"{k}. x\n" for k in range(1, 11)) + "\n    y", "- x\n" * 10 + "  y"),
        ("<ul><li><ul><li>a</ul><li>b</ul>", "- - a\n- b", "  - a\n- b"),
        ("<li>a<li>b", "- a\n- b", "- a\n- b"),
        ("<ul>a<li>b</ul>", "a\n\n- b", "a\n\n- b"),
        ("<blockquote><p>a<p>b</blockquote><blockquote>c</blockquote>", "> a\n>\n> b\n\n> c", "a\n\nb\n\nc"),
        ("<p>a<br><br>b", "a\n\nb", "a\n\nb"),
        ("<dl><dt>a<dd>b<dd>c</dl>", "a\n\n: b\n\n: c", "a\n\nb\n\nc"),
        # Tables: empty cells keep their place, a title row does not cut the rest, layout is no table.
        ("<table><tr><th>A<th>B<th>C<tr><td>1<td><td>3|4</table>",
         "| A | B | C |\n| --- | --- | --- |\n| 1 |  | 3\\|4 |", "A | B | C\n1 | 3|4"),
        ("<table><caption>T</caption><tr><td>x<tr><td>1<td>2<p>3</table>y",
         "T\n\n| x |  |\n| --- | --- |\n| 1 | 2 3 |\n\ny", "T\n\nx\n1 | 2 3\n\ny"),
        ("<table><tr><td>a</table>", "a", "a"),
        (f"<table><tr><td>{'a ' * 500}<td>b<tr><td>c<td>d</table>", f"{'a ' * 499}a\n\nb\n\nc\n\nd", f"{'a ' * 499}a\n\nb\n\nc\n\nd"),
        ("<table><tr><td>menu<td><table><tr><td>1<td>2<tr><td>3<td>4</table></table>",
         "menu\n\n| 1 | 2 |\n| --- | --- |\n| 3 | 4 |", "menu\n\n1 | 2\n3 | 4"),
        # Code.
        ("<pre><code>a\n  b\n</code></pre>", "```\na\n  b\n```", "a\n  b"),
        ("<pre><div>a</div><div>  b</div></pre><pre>c</pre>", "```\na\n  b\n```\n\n```\nc\n```", "a\n  b\n\nc"),
        ("<pre>```</pre>", "````\n```\n````", "```"),
        ("<p>a <code>b</code><kbd>c</kbd> <code></code>d", "a `b``c` d", "a bc d"),
        ("<p><code>a<div>b</div>c</code>", "`a`\n\nb\n\nc", "a\n\nb\n\nc"),
        # Formulas stay as they are.
        ("<p>a <math alttext='x_1 * y'></math>", "a $x_1 * y$", "a $x_1 * y$"),
        ("<h2>a\nb <code>c</code> ##</h2>", "## a b `c` \\##", "a b c ##"),
    ],
)  # fmt: skip
def test_how_it_is_written(page: str, markdown: str, plain: str) -> None:
    assert written(page) == markdown
    assert written(page, markdown=False) == plain


def test_only_some_blocks() -> None:
    page = "<ol><li>a<li>b<ul><li>c</ul></ol><table><tr><td>1<td>2<tr><td>3<td>4</table>"
    text, blocks, nodes, *_ = h.parse(np.frombuffer(page.encode(), np.uint8), True)
    assert (
        write(text, blocks, nodes, np.array([1, 2, 3, 4, 6]), True)
        == "1. b\n   - c\n\n| 1 | 2 |\n| --- | --- |\n|  | 4 |"
    )
    assert write(text, blocks, nodes, np.array([2]), True) == "1. - c"
    assert write(text, blocks, nodes, np.array([], np.int64), True) == ""


@pytest.mark.parametrize(
    "piece", ["<ul><li>a", "<ol><li>a", "<blockquote>a", "<dl><dd>a", "<pre>a", "<h1>a", "<table><tr><td>a"]
)
@pytest.mark.parametrize("markdown", [False, True])
def test_depth_does_not_square_the_output(piece: str, markdown: bool) -> None:
    few, many = (len(written(piece * times, markdown)) for times in (100, 1000))
    assert many <= 12 * few


@pytest.mark.parametrize("markdown", [False, True])
def test_wide_tables_do_not_square_the_output(markdown: bool) -> None:
    page = "<table>" + "<tr>" + "<td>" * 2000 + "a" + "<tr><td>b" * 2000 + "</table>"
    assert len(written(page, markdown)) < 2 * len(page)
