"""CSV and its relatives as they are in the wild; Parquet; columns of paths."""

from __future__ import annotations

import bz2
import csv
import datetime
import gzip
import io
import lzma
import zipfile

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerwise.data import find_roles, open_source
from layerwise.errors import DataError, LayerwiseError


def opened(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return open_source(path, spool=tmp_path)


def cells(source):
    return {n: c.values.to_list() for n, c in source.columns.items()}


def test_numbers_text_dates_and_missing(tmp_path):
    source = opened(tmp_path, "n,x,s,d,b\n1,0.5,NA,2020-01-31,true\n2,?,b,,False\n,NaN,c,2021-12-01,TRUE\n")
    assert cells(source) == {
        "n": [1, 2, None],
        "x": [0.5, None, None],
        "s": ["NA", "b", "c"],
        "d": [datetime.datetime(2020, 1, 31), None, datetime.datetime(2021, 12, 1)],
        "b": [True, False, True],
    }
    assert source.ids == ["row 1", "row 2", "row 3"]
    assert source.columns["n"].values.dtype == pl.Int64


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", [True, False])
def test_separators_and_headers_are_told_by_looking(tmp_path, separator, header):
    rows = [["name", "age", "city"]] * header + [
        ["ann", "31", "Bern"],
        ["ben", "25", "Rome"],
        ["cy", "47", "Oslo"],
    ]
    source = opened(tmp_path, "\n".join(separator.join(r) for r in rows) + "\n")
    assert list(cells(source).values()) == [["ann", "ben", "cy"], [31, 25, 47], ["Bern", "Rome", "Oslo"]]
    assert list(source.columns) == (rows[0] if header else ["column 1", "column 2", "column 3"])
    assert bool(source.notes) != header


def test_a_table_of_text_without_header_shows_it_by_repeating(tmp_path):
    source = opened(tmp_path, "ham\thello\nham\thi there\nspam\tbuy\nspam\tnow\n", "t.tsv")
    assert cells(source)["column 1"] == ["ham", "ham", "spam", "spam"]


def test_decimal_commas_and_thousands(tmp_path):
    assert cells(opened(tmp_path, "a;b\n1,5;1.234,5\n2,25;7\n3;8\n")) == {
        "a": [1.5, 2.25, 3],
        "b": [1234.5, 7, 8],
    }
    assert cells(opened(tmp_path, 'a,b\n"1,234",x\n"12,345,678",y\n5,z\n'))["a"] == [1234, 12345678, 5]


def test_quotes_where_they_quote(tmp_path):
    text = 'id,text\n1,"a, ""b""\nc"\n2,""\n3,plain\n'
    assert cells(opened(tmp_path, text)) == {"id": [1, 2, 3], "text": ['a, "b"\nc', None, "plain"]}


def test_quotes_where_they_do_not(tmp_path):
    text = 'label\ttext\n1\t"Best" film ever\n0\tsays "no\n1\t"\n0\tline\u0085break\n'
    source = opened(tmp_path, text, "t.tsv")
    assert cells(source)["text"] == ['"Best" film ever', 'says "no', '"', "line\u0085break"]


def test_quotes_out_of_place_among_good_ones(tmp_path):
    text = "a,b,c\n" + '1,"x, y",z\n' * 20 + '2, "p, q",5" nail\n'
    assert cells(opened(tmp_path, text))["b"] == ["x, y"] * 20 + ["p, q"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings(tmp_path, encoding):
    text = "name,n\nJürg – “ok”,1\nÅsa,2\n"
    source = opened(tmp_path, text.encode(encoding))
    assert cells(source) == {"name": ["Jürg – “ok”", "Åsa"], "n": [1, 2]}


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n\n", "\n"])
def test_line_ends(tmp_path, newline):
    assert cells(opened(tmp_path, newline.join(["a,b", "1,x", "2,y"]))) == {"a": [1, 2], "b": ["x", "y"]}


def test_names_are_made_unlike(tmp_path):
    assert list(opened(tmp_path, "a,a,,a\n1,2,3,4\n").columns) == ["a", "a (2)", "column 3", "a (3)"]


def test_rows_of_another_width_are_left_out_by_line(tmp_path):
    source = opened(tmp_path, "a,b\n1,2\n3\n4,5\n6,7,8\n9,10\n11,12\n")
    assert source.ids == ["row 1", "row 3", "row 5", "row 6"]
    assert cells(source) == {"a": [1, 4, 9, 11], "b": [2, 5, 10, 12]}
    assert [(o.path, o.reason) for o in source.left_out] == [
        ("row 2", "line 3 has 1 fields where 2 were expected"),
        ("row 4", "line 5 has 3 fields where 2 were expected"),
    ]


def test_codes_stay_text(tmp_path):
    source = opened(tmp_path, "zip,id\n01234,12345678901234567890\n99999,99999999999999999999\n")
    assert cells(source) == {
        "zip": ["01234", "99999"],
        "id": ["12345678901234567890", "99999999999999999999"],
    }


def test_a_few_strays_in_a_column_of_numbers_are_missing_and_said(tmp_path):
    source = opened(tmp_path, "n,c\n" + "".join(f"{i},x\n" for i in range(199)) + "unknown,x\n")
    assert cells(source)["n"] == [*range(199), None]
    assert "1 cells of 'n' are no numbers, such as 'unknown': taken as missing." in source.notes


@pytest.mark.parametrize(
    ("cell", "when"),
    [
        ("2020-03-04 05:06:07", datetime.datetime(2020, 3, 4, 5, 6, 7)),
        ("2020-03-04T05:06:07Z", datetime.datetime(2020, 3, 4, 5, 6, 7)),
        ("2020-03-04 05:06", datetime.datetime(2020, 3, 4, 5, 6)),
        ("14.03.2020", datetime.datetime(2020, 3, 14)),
        ("3/14/2020 05:06", datetime.datetime(2020, 3, 14, 5, 6)),
        ("14/03/2020", datetime.datetime(2020, 3, 14)),
    ],
)
def test_dates(tmp_path, cell, when):
    assert cells(opened(tmp_path, f"d,x\n{cell},1\n,2\n"))["d"] == [when, None]


def test_a_few_strays_in_a_column_of_dates_are_missing_and_said(tmp_path):
    source = opened(tmp_path, "d,x\nunknown,1\n" + "2020-03-04,1\n" * 199)
    assert cells(source)["d"] == [None, *[datetime.datetime(2020, 3, 4)] * 199]
    assert "1 cells of 'd' are no dates like the others, such as 'unknown': taken as missing." in source.notes


def test_dates_written_in_several_ways_stay_text_and_that_is_said(tmp_path):
    source = opened(tmp_path, "d,x\n" + "2020-03-04,1\n" * 200 + "14.03.2020,1\n" * 20)
    assert cells(source)["d"][-1] == "14.03.2020"
    told = [note for note in source.notes if "'d'" in note]
    assert told == [
        "Dates in 'd' are written in several ways, such as '2020-03-04' and '14.03.2020': taken as text. Write"
        " all in one."
    ]


@pytest.mark.parametrize("code", ["1.2.3", "555-1234-2000", "10-20"])
def test_what_only_looks_like_a_date_stays_text(tmp_path, code):
    source = opened(tmp_path, "d,x\n" + f"{code},1\n" * 10)
    assert cells(source)["d"] == [code] * 10
    assert not source.notes


@pytest.mark.parametrize("how", ["gz", "xz", "bz2", "zip"])
def test_packed_tables(tmp_path, how):
    text = b"a,b\n1,x\n2,y\n"
    data = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}.get(how, bytes)(text)
    if how == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            z.writestr("deep/t.csv", text)
        data = out.getvalue()
    source = opened(tmp_path, data, f"loans.csv.{how}")
    assert cells(source) == {"a": [1, 2], "b": ["x", "y"]}
    assert source.name == "loans"
    if how != "zip":
        with pytest.raises(DataError, match="damaged or cut short"):
            opened(tmp_path, data[:-9], f"cut.csv.{how}")


def test_parquet(tmp_path):
    frame = pl.DataFrame(
        {
            "n": [1, None],
            "f": [float("inf"), 2.0],
            "s": ["a", None],
            "when": [datetime.datetime(2020, 1, 1)] * 2,
            "wave": [[1.0, 2.0], [3.0, 4.0]],
            "odd": [{"x": 1}, {"x": 2}],
        }
    ).with_columns(pl.col("s").cast(pl.Categorical))
    frame.write_parquet(tmp_path / "t.parquet")
    source = open_source(tmp_path / "t.parquet")
    assert source.columns["n"].values.to_list() == [1, None]
    assert source.columns["f"].values.to_list() == [None, 2.0]
    assert source.columns["s"].values.dtype == pl.String
    assert source.columns["wave"].values.tolist() == [[1, 2], [3, 4]]
    assert [o.path for o in source.left_out] == ["odd"]
    data = (tmp_path / "t.parquet").read_bytes()
    for bad in (data[:50], data[:-30], b"PAR1" + bytes(60) + b"PAR1"):
        with pytest.raises(DataError, match="no readable Parquet"):
            opened(tmp_path, bad, "bad.parquet")


def test_columns_of_paths_are_files_and_do_not_lead_out(lay, pictures, tmp_path):
    (tmp_path / "secret.pgm").write_bytes(b"P5")
    root = lay({**pictures("img/{}.pgm"), "img/b.png": b"x"})
    (root / "img" / "link.pgm").symlink_to(tmp_path / "secret.pgm")
    rows = [
        "img/0.pgm",
        "../secret.pgm",
        str(tmp_path / "secret.pgm"),
        "img/link.pgm",
        "img/9.pgm",
        "",
        "./img/../img/2.pgm",
    ]
    (root / "t.csv").write_text("photo,price\n" + "".join(f"{r},{i}\n" for i, r in enumerate(rows, 1)))
    source = open_source(root / "t.csv")
    assert source.columns["photo"].holds == "files"
    assert source.columns["price"].values.to_list() == [1, 6, 7]
    assert source.ids == ["row 1", "row 6", "row 7"]
    assert source.columns["photo"].values[1] is None
    assert [(o.path, o.reason.rsplit(": ", 1)[1].split(" of ")[0]) for o in source.left_out] == [
        ("row 2", "leads out"),
        ("row 3", "leads out"),
        ("row 4", "leads out"),
        ("row 5", "there is no such file"),
    ]
    assert find_roles(source).inputs == ("photo",)


def test_paths_inside_an_archive(pictures, tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as z:
        for name, data in pictures("top/img/{}.pgm").items():
            z.writestr(name, data)
        z.writestr("top/t.csv", "photo,price\nimg/0.pgm,1\nimg/2.pgm,2\n../../etc/x.pgm,3\n")
    source = open_source(tmp_path / "s.zip", spool=tmp_path)
    assert [f.bytes()[:2] for f in source.columns["file"].values] == [b"P5", b"P5"]
    assert {o.path for o in source.left_out} == {"top/img/1.pgm", "top/t.csv row 3"}


def test_train_and_test_tables_of_a_folder_are_parts(lay):
    root = lay({"train.csv": "a,y\n1,x\n2,y\n", "test.csv": "a,y\n3,x\n", "valid.csv": "a,y\n4,y\n"})
    source = open_source(root)
    assert cells(source)["a"] == [1, 2, 4, 3]
    assert list(source.parts) == ["train", "train", "val", "test"]
    with pytest.raises(DataError, match="2 tables"):
        open_source(lay({"one.csv": "a\n1\n", "two.csv": "a\n1\n"}, name="other"))


def test_an_explicit_test_table_is_appended(lay):
    root = lay({"a.csv": "n,s,y\n1,p,0\n2,q,1\n", "b.csv": "y,s,n,more\n1,r,7.5,z\n"})
    source = open_source(root / "a.csv", test=root / "b.csv")
    assert cells(source) == {"n": [1, 2, 7.5], "s": ["p", "q", "r"], "y": [0, 1, 1]}
    assert source.ids == ["row 1", "row 2", "test row 1"]
    with pytest.raises(DataError, match=r"no column 'n' in .*it has s, y"):
        open_source(root / "a.csv", test=lay({"c.csv": "s,y\nr,1\n"}) / "c.csv")


def test_thousands_of_columns(tmp_path):
    header = ",".join(f"p{i}" for i in range(3000))
    source = opened(tmp_path, header + "\n" + "\n".join(",".join([str(k)] * 3000) for k in range(5)))
    assert len(source.columns) == 3000
    assert source.columns["p2999"].values.to_list() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "data", [b"", b"\n\n", b"a,b\n", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", bytes(range(256)) * 4, b"\xff\xfe"]
)
def test_what_is_no_table_is_refused(tmp_path, data):
    with pytest.raises(DataError):
        opened(tmp_path, data)


TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r"), max_size=12)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(TEXT, st.integers(-99, 99), TEXT), min_size=3, max_size=12),
    separator=st.sampled_from(",;\t|"),
)
def test_well_made_csv_comes_back_row_by_row(tmp_path, rows, separator):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["one", "number", "two"])
    writer.writerows([f"t{a}", n, f"t{b}"] for a, n, b in rows)
    source = opened(tmp_path, out.getvalue())
    assert source.columns["number"].values.to_list() == [n for _, n, _ in rows]
    assert source.columns["one"].values.to_list() == [f"t{a}" for a, _, _ in rows]
    assert source.columns["two"].values.to_list() == [f"t{b}" for _, _, b in rows]


SOUP = st.one_of(
    st.text(st.sampled_from('ab1.,;|\t"\n\r\\ -é\u0085'), max_size=120).map(str.encode),
    st.binary(max_size=80),
    st.lists(
        st.lists(st.sampled_from(["", "1", "2,5", '"', "x", "2020-01-01", "NA", "a b"]), max_size=4),
        max_size=8,
    ).map(lambda rows: "\n".join(",".join(r) for r in rows).encode()),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=SOUP)
def test_whatever_is_in_a_file_it_is_a_table_or_a_message(tmp_path, data):
    try:
        source = opened(tmp_path, data)
    except LayerwiseError:
        return
    assert len(source) > 0
    assert all(len(c) == len(source) for c in source.columns.values())
    numbers = [int(i.split()[1]) for i in source.ids]
    assert numbers == sorted(set(numbers))
