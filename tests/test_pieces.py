"""What a path stands for, kind by kind: suffixes, groups, repositories; kinds told by name on the command line."""

from __future__ import annotations

import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from corpus.cli.extract import kind_of
from corpus.errors import InputError, RecipeError
from corpus.recipe import dump, parse
from corpus.sources import SourceConfig, discover
from corpus.sources.pieces import kind_by_name


def pieces(path, kind="code", **options):
    """The relative paths of each piece."""
    path = str(path) if isinstance(path, Path) else path
    source = SourceConfig(name="s", kind=kind, path=path, **options)
    return [[file.relative for file in piece.files] for piece in discover(source)]


def fill(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("warc", "a.warc a.warc.gz a.WARC.zst a.wet a.wet.gz a.wet.zst a.arc a.arc.gz a.arc.zst"),
        ("csv", "a.csv a.csv.gz a.csv.zst a.tsv a.tsv.gz a.tsv.zst"),
        ("jsonl", "a.jsonl a.jsonl.gz a.jsonl.zst a.ndjson a.ndjson.gz a.ndjson.zst"),
        ("arrow", "a.arrow a.feather a.ipc"),
        ("wikipedia", "a.xml a.xml.bz2 wiki-pages-articles1.xml-p1p41242.bz2"),
        ("parquet", "a.parquet"),
        ("epub", "a.epub b.EPUB"),
        ("pdf", "a.pdf"),
    ],
)
def test_files_of_each_kind_are_found_in_a_folder_and_told_by_name(tmp_path, kind, names):
    fill(tmp_path, *names.split(), "note.doc", "a.warc.bak", ".hidden.csv", "arc", "xml.bz2")
    found = [name for piece in pieces(tmp_path, kind) for name in piece]
    assert found == sorted(names.split())
    assert {kind_by_name(name) for name in names.split()} == {kind}
    assert kind_by_name("note.doc") is None
    assert kind_of([str(tmp_path / name) for name in names.split()]) == kind


@pytest.mark.parametrize("kind", ["epub", "pdf"])
def test_books_and_papers_are_grouped(tmp_path, kind):
    fill(tmp_path, *(f"{i}.{kind}" for i in range(30)))
    found = pieces(tmp_path, kind)
    assert len(found) < 30
    assert sorted(name for piece in found for name in piece) == sorted(f"{i}.{kind}" for i in range(30))


def test_a_repository_is_a_piece(tmp_path):
    fill(tmp_path / "mine", "setup.py", "a/b.py", ".eslintrc.js", ".github/ci.yml", ".git/config", "vendor/x/.git")
    (tmp_path / "mine" / "link.py").symlink_to("setup.py")
    (tmp_path / "mine" / "out").symlink_to(tmp_path)
    (tmp_path / "mine" / "loop").symlink_to(".")
    expected = [["mine/.eslintrc.js", "mine/a/b.py", "mine/setup.py"]]
    assert pieces(tmp_path / "mine") == expected
    # Without a `.git` too, as an archive unpacks; and by way of the folder that holds it.
    subprocess.run(["rm", "-r", str(tmp_path / "mine" / ".git")], check=True)
    assert pieces(tmp_path / "mine") == expected
    (tmp_path / "mine" / ".git").write_text("gitdir: elsewhere")  # as in a worktree
    assert pieces(tmp_path) == expected


def test_a_folder_of_checkouts_and_archives(tmp_path):
    fill(tmp_path, "one/.git/HEAD", "one/a.py", "two/b.py", "three.zip", "three-1.0.tar.gz", "x.TGZ", "y.whl", "notes")
    fill(tmp_path, ".cache/c.py", "empty/.git/HEAD")
    assert pieces(tmp_path) == [["one/a.py"], ["three-1.0.tar.gz"], ["three.zip"], ["two/b.py"], ["x.TGZ"], ["y.whl"]]
    assert pieces(tmp_path / "three.zip") == [["three.zip"]]
    assert pieces(str(tmp_path / "t*")) == [["three-1.0.tar.gz"], ["three.zip"], ["two/b.py"]]
    # A project may have an archive among its files; where archives are what there is, they are repositories.
    assert pieces(fill(tmp_path / "p", "setup.py", "README", "data.zip")) == [["p/README", "p/data.zip", "p/setup.py"]]
    assert pieces(fill(tmp_path / "q", "a.zip", "b.zip", "SHA256SUMS")) == [["a.zip"], ["b.zip"]]


def test_repositories_of_one_name(tmp_path):
    fill(tmp_path, "ann/web/x.py", "bob/web/x.py", "bob/web.zip")
    paths = (str(tmp_path / "ann"), str(tmp_path / "bob"))
    assert pieces(str(tmp_path / "*/*")) == [["ann--web/x.py"], ["bob--web/x.py"], ["bob/web.zip"]]
    fill(tmp_path, "ann/web/.git/HEAD", "bob/web/.git/HEAD")
    assert pieces(paths) == [["ann--web/x.py"], ["bob--web/x.py"], ["bob/web.zip"]]
    fill(tmp_path, "bob--web/y.py")
    with pytest.raises(InputError, match=r"bob--web .* would both be called bob--web in ids; give each a source"):
        pieces((*paths, str(tmp_path / "bob--web")))


def test_a_repository_keeps_its_partition_when_files_come_and_go(tmp_path):
    source = SourceConfig(name="s", kind="code", path=str(fill(tmp_path / "mine", "b.py")))
    (before,) = discover(source)
    fill(tmp_path / "mine", "a.zip", "c/d.py")
    (after,) = discover(source)
    assert before.name == after.name
    assert len(after.files) == 3
    renamed = (tmp_path / "mine").rename(tmp_path / "other")
    assert discover(source.model_copy(update={"path": str(renamed)}))[0].name != before.name


def test_names_in_a_repository_that_are_not_utf8(tmp_path):
    fill(tmp_path / "r", "b\\c.py")
    Path(os.fsdecode(os.fsencode(tmp_path / "r") + b"/\xff.py")).write_text("x")
    assert pieces(tmp_path / "r") == [["r/\\xff.py", "r/b\\\\c.py"]]


def test_a_bare_repository_and_an_empty_folder_are_refused(tmp_path):
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "x.git")], check=True)
    with pytest.raises(InputError, match=r"x\.git is a bare repository, without its files; give a clone"):
        pieces(tmp_path / "x.git")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file of kind code there"):
        pieces(tmp_path / "empty")


def test_a_language_that_is_none_is_told_before_anything_is_read(tmp_path):
    fill(tmp_path, "project/a.py")
    message = "source s: `code.languages` has no language `Markdwn`; did you mean `Markdown`?"
    with pytest.raises(InputError, match=re.escape(message)):
        pieces(tmp_path / "project", code={"languages": ["Python", "Markdwn"]})
    assert pieces(tmp_path / "project", code={"languages": ["Python"]}) == [["project/a.py"]]


def test_kinds_on_the_command_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w"):
        pass
    with pytest.raises(RecipeError, match=r"add --kind, one of warc, html, .* dataset"):
        kind_of([str(tmp_path / "a.zip")])
    fill(tmp_path, "book.epub", "feed.xml", "package.json")
    assert kind_of([str(tmp_path)]) == "epub"
    assert kind_of([str(tmp_path / "package.json")]) == "jsonl"
    fill(tmp_path, "paper.pdf")
    with pytest.raises(RecipeError, match=r"several kinds .*book\.epub is epub, .*paper\.pdf is pdf"):
        kind_of([str(tmp_path)])
    (tmp_path / ".git").mkdir()
    with pytest.raises(RecipeError, match=r"--kind \(.* is a git checkout, `--kind code` reads its source files\)"):
        kind_of([str(tmp_path)])
    (tmp_path / "none/at/all").mkdir(parents=True)
    with pytest.raises(RecipeError, match="none: holds no file; correct the path"):
        kind_of([str(tmp_path / "none")])
    assert kind_of(["s3://bucket/crawl/*.warc.gz"]) == "warc"
    assert kind_of(["https://host.example/x.csv?download=1"]) == "csv"


def test_paths_in_a_resolved_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(fill(tmp_path, "here/a.txt"))
    sources = [
        ("text", "here", str(tmp_path / "here")),
        ("text", "file:///tmp/x", "/tmp/x"),
        ("text", "~/x", str(Path("~/x").expanduser())),
        ("warc", "s3://bucket/*.warc.gz", "s3://bucket/*.warc.gz"),
        ("dataset", "owner/name", "owner/name"),
        ("dataset", "here", str(tmp_path / "here")),
    ]
    text = "name: x\nsources:\n" + "".join(
        f"  - {{name: s{i}, kind: {kind}, path: '{path}'}}\n" for i, (kind, path, _) in enumerate(sources)
    )
    again = parse(dump(parse(text, "r.yaml")), "again")
    assert [source.path for source in again.sources] == [expected for *_, expected in sources]
