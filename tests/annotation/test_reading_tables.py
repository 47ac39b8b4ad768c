"""CSV and TSV: the trouble that real tables have, in small."""

import pytest

from annotation.imports.reasons import ImportRefused
from tests.annotation.reading import found, rows, write, write_gzip

MESSAGES = [
    'ham\t"Hello" he said and left',
    "spam\tWin a prize now, call 0800",
    'ham\t"this one opens a quote and never closes it',
    "ham\tplain words, with commas, in them",
    'spam\tthe next quote stands at the end"',
    'ham\t"',
    'spam\t"again',
] * 4


def test_a_table_whose_quotes_are_characters_is_read_with_quoting_off(tmp_path):
    path = write(tmp_path, "sms.tsv", "\n".join(MESSAGES))
    good, bad = rows(path)
    assert len(good) == len(MESSAGES)
    assert not bad
    assert good[2][1]["column_2"] == '"this one opens a quote and never closes it'
    assert found(path).quoting is False
    assert found(path).header is False


def test_the_user_may_overrule_what_was_detected(tmp_path):
    path = write(tmp_path, "sms.tsv", "\n".join(MESSAGES))
    detection = found(path, quoting=True, header=True, delimiter=",", encoding="latin-1")
    assert (detection.quoting, detection.header, detection.delimiter) == (True, True, ",")
    assert detection.encoding == "latin-1"


def test_a_stray_line_break_costs_one_row_and_is_named_by_its_line(tmp_path):
    broken = [*MESSAGES[:3], "re though", *MESSAGES[3:]]
    good, bad = rows(write(tmp_path, "sms.tsv", "\n".join(broken)))
    assert len(good) == len(MESSAGES)
    assert [number for number, _ in bad] == [4]
    assert "1 cells where 2 are expected" in bad[0][1]


def test_an_old_western_encoding_is_found_and_its_confidence_stated(tmp_path):
    text = "v1,v2\r\n" + "ham,Das kostet £5 im Café für die Größe\r\nspam,plain\r\n" * 20
    path = write(tmp_path, "sms.csv", text.encode("cp1252"))
    detection = found(path)
    assert detection.encoding == "cp1252"
    assert 0.5 <= detection.confidence < 1
    assert "is a guess" in str(detection.notes[0])
    assert rows(path)[0][0] == (2, {"v1": "ham", "v2": "Das kostet £5 im Café für die Größe"})


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Привет, как дела? Это текст о погоде и о природе.\n"),
        ("cp932", "これは日本語の文章です。今日はとても良い天気です。\n"),
        ("gb18030", "这是一个中文句子，用来测试编码的识别是否正确。\n"),
        ("utf-16", "Ein Text mit Umlauten: äöü\n"),
        ("utf-16-le", "A text without a mark\n"),
        ("utf-8-sig", "A text with a mark\n"),
    ],
)
def test_other_encodings_are_read_too(tmp_path, encoding, text):
    path = write(tmp_path, "texts.csv", ("id;text\n" + f"7;{text}" * 20).encode(encoding))
    assert rows(path)[0][0][1] == {"id": "7", "text": text.strip()}


def test_one_broken_byte_in_utf_8_costs_its_row_only(tmp_path):
    lines = [b"id,text", *[f"{n},größe müde".encode() for n in range(20)], b"20,caf\xe9"]
    good, bad = rows(write(tmp_path, "texts.csv", b"\n".join(lines)))
    assert len(good) == 20
    assert [number for number, _ in bad] == [22]
    assert "does not fit the encoding" in bad[0][1]


def test_nameless_columns_get_visible_names_and_keep_their_cells(tmp_path):
    path = write(tmp_path, "sms.csv", 'v1,v2,,\nham,"one, two",,\nspam,three,"spilled",over\n')
    assert found(path).columns == ("v1", "v2", "column_3", "column_4")
    assert "Column 3 has no name" in str(found(path).notes[0])
    assert rows(path)[0][1][1]["column_3"] == "spilled"


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    path = write(tmp_path, "truth.csv", b"\xef\xbb\xbfType,Question\nA,Why; and how?\n")
    assert found(path).columns == ("Type", "Question")


def test_line_feeds_inside_quoted_texts_do_not_break_rows(tmp_path):
    path = write(
        tmp_path, "bank.csv", 'text,category\r\n"two\nlines",a\r\n"x\r\ny",b\r\nlast,c\r\n'
    )
    good, bad = rows(path)
    assert not bad
    assert [(number, values["text"]) for number, values in good] == [
        (2, "two\nlines"),
        (4, "x\r\ny"),
        (6, "last"),
    ]


def test_a_table_without_header_and_with_several_labels_in_a_cell(tmp_path):
    lines = ["Is this it?\t27\ted1", "So sad, really!\t4,27\ted2", "Fine\t4\ted3"]
    path = write(tmp_path, "emotions.tsv", "\n".join(lines))
    assert found(path).header is False
    assert rows(path)[0][1][1] == {
        "column_1": "So sad, really!",
        "column_2": "4,27",
        "column_3": "ed2",
    }


def test_too_few_and_too_many_cells_are_told_apart(tmp_path):
    good, bad = rows(
        write(tmp_path, "a.csv", "id,text,label\n1,a,x\n2,b\n3,c,y,z\n4,d,w,,\n5,e,v\n")
    )
    assert [number for number, _ in good] == [2, 5, 6]
    assert "2 cells where 3" in bad[0][1]
    assert "4 cells where 3" in bad[1][1]


def test_equal_column_names_are_renamed_visibly(tmp_path):
    path = write(tmp_path, "a.csv", "text,text,label\na,b,c\n")
    assert found(path).columns == ("text", "text_2", "label")
    assert "Two columns are called “text”" in str(found(path).notes[0])


def test_a_nul_character_refuses_its_row(tmp_path):
    good, bad = rows(write(tmp_path, "a.csv", "id,text\n1,a\n2,b\0c\n3,d\n"))
    assert [values["text"] for _, values in good] == ["a", "d"]
    assert bad[0][0] == 3
    assert "NUL" in bad[0][1]


def test_bidirectional_controls_are_kept(tmp_path):
    text = "evil\u202etxt.exe"
    assert rows(write(tmp_path, "a.csv", f"id,text\n1,{text}\n"))[0][0][1]["text"] == text


def test_a_quote_that_never_closes_refuses_the_last_row(tmp_path):
    content = "id,text\n" + '1,"a, b"\n' * 5 + '2,"cut off here'
    good, bad = rows(write(tmp_path, "a.csv", content), quoting=True)
    assert len(good) == 5
    assert bad[0][0] == 7
    assert "never closes" in bad[0][1]


def test_a_name_with_colons_and_a_semicolon_table(tmp_path):
    path = write(tmp_path, "2023-02-08_19:17:00__v0.csv", 'id;text\n1;"a; b"\n2;c, d\n')
    assert found(path).delimiter == ";"
    assert rows(path)[0][0] == (2, {"id": "1", "text": "a; b"})


def test_one_column_of_texts_with_commas_is_one_column(tmp_path):
    path = write(tmp_path, "texts.txt", "text\nOne, two and three.\nNo comma here.\nA, b, c, d.\n")
    assert rows(path)[0][2] == (4, {"text": "A, b, c, d."})


def test_a_gzipped_table_reads_like_the_table(tmp_path):
    path = write_gzip(tmp_path, "a.csv.gz", "id,text\n1,a\n")
    assert rows(path)[0] == [(2, {"id": "1", "text": "a"})]


def test_a_header_alone_has_no_rows(tmp_path):
    assert rows(write(tmp_path, "a.csv", "id,text,label\n")) == ([], [])


def test_an_unknown_option_is_refused(tmp_path):
    path = write(tmp_path, "a.csv", "id,text\n1,a\n")
    for options in ({"encoding": "klingon"}, {"delimiter": "::"}, {"format": "xml"}):
        with pytest.raises(ImportRefused, match="that is known here"):
            found(path, **options)
