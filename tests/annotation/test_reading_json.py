"""JSON and JSON Lines: strict, record by record, and at home in the usual shapes."""

import json

import pytest

from annotation.imports.reasons import ImportRefused
from tests.annotation.reading import found, rows, write


def write_json(directory, value, name="a.json"):
    return write(directory, name, json.dumps(value, indent=1))


def test_splits_over_pairs_become_split_text_and_label(tmp_path):
    path = write_json(
        tmp_path,
        {
            "oos_val": [["set a warning for my account", "oos"]],
            "train": [["walk me through it please", "direct_deposit"], ["and this one", "other"]],
        },
    )
    good, bad = rows(path)
    assert found(path).columns == ("split", "text", "label")
    assert not bad
    assert good[2] == (3, {"split": "train", "text": "and this one", "label": "other"})


def test_labels_over_records_become_a_label_column(tmp_path):
    record = {"tokens": ["understanding", "how"], "h": ["mhc", "C4", [[10]]]}
    path = write(
        tmp_path, "one_line.json", json.dumps({"inherits": [record], "occurs_in": [record]})
    )
    assert rows(path)[0][1] == (2, {"label": "occurs_in", **record})
    assert "read as the column “label”" in str(found(path).notes[0])


def test_ids_over_objects_become_an_id_column(tmp_path):
    path = write_json(tmp_path, {"a1": {"text": "x"}, "a2": {"text": "y"}})
    assert rows(path)[0][1] == (2, {"id": "a2", "text": "y"})


def test_one_tree_is_refused_with_what_to_do(tmp_path):
    path = write_json(tmp_path, {"win": False, "tree": {"size": 3}, "compare": [], "answer": {}})
    with pytest.raises(ImportRefused, match="Save the records as one list of objects"):
        rows(path)


def test_a_file_written_by_column_is_refused_with_what_to_do(tmp_path):
    for value in ({"text": {"0": "a"}, "label": {"0": "b"}}, {"text": ["a"], "label": ["b"]}):
        with pytest.raises(ImportRefused, match="orient=“records”"):
            rows(write_json(tmp_path, value))


def test_the_list_may_stand_deeper_and_be_named_by_the_user(tmp_path):
    path = write_json(tmp_path, {"meta": {"n": 1}, "deep": {"items": [{"text": "x"}]}})
    assert rows(path, records="deep.items")[0] == [(1, {"text": "x"})]
    with pytest.raises(ImportRefused, match="There is no list of records"):
        rows(path, records="deep.rows")


def test_the_list_beside_a_version_is_found(tmp_path):
    path = write_json(tmp_path, {"version": 2, "data": [{"text": "x"}]})
    assert rows(path)[0] == [(1, {"text": "x"})]


def test_records_with_different_keys_share_all_columns(tmp_path):
    slots = {"date": {"value": {"hour": 23}}}
    path = write_json(tmp_path, [{"text": "a"}, {"text": "b", "intents": ["x"], "slots": slots}])
    assert found(path).columns == ("text", "intents", "slots")
    assert rows(path)[0][1][1]["slots"] == slots


def test_a_list_of_texts_is_a_column_of_texts(tmp_path):
    assert rows(write_json(tmp_path, ["a", "b"]))[0][1] == (2, {"text": "b"})


BAD_RECORDS = {
    "NaN": ('{"text": "a", "score": NaN}', "NaN is not a JSON number"),
    "infinity": ('{"text": "a", "score": -Infinity}', "is not a JSON number"),
    "overflow": ('{"text": "a", "score": 1e999}', "not a finite number"),
    "duplicate key": ('{"text": "a", "text": "b"}', "The key “text” stands twice"),
    "depth": ('{"text": ' + "[" * 200_000 + "]" * 200_000 + "}", "more than 64 levels"),
    "just too deep": ('{"text": "a", "m": ' + "[" * 65 + "]" * 65 + "}", "more than 64 levels"),
    "digits": ('{"text": "a", "n": ' + "9" * 6000 + "}", "A number of 6,000 digits"),
    "surrogate": ('{"text": "a\\ud800b"}', "is broken"),
    "NUL": ('{"text": "a\\u0000b"}', "NUL"),
    "NUL in a key": ('{"text": "a", "k\\u0000": 1}', "NUL"),
    "surrogate deep inside": ('{"text": "a", "m": [{"k": "\\udfff"}]}', "is broken"),
}


@pytest.mark.parametrize(("record", "reason"), BAD_RECORDS.values(), ids=BAD_RECORDS)
@pytest.mark.parametrize("lines", [True, False], ids=["jsonl", "json"])
def test_a_hostile_record_is_refused_by_number_and_the_rest_is_read(
    tmp_path, record, reason, lines
):
    records = ['{"text": "first"}', record, '{"text": "last"}']
    if lines:
        path = write(tmp_path, "a.jsonl", "\n".join(records))
    else:
        path = write(tmp_path, "a.json", "[" + ",\n".join(records) + "]")
    good, bad = rows(path)
    assert [values["text"] for _, values in good] == ["first", "last"]
    assert [number for number, _ in bad] == [2]
    assert reason in bad[0][1]


def test_an_emoji_written_as_a_surrogate_pair_is_text(tmp_path):
    assert rows(write(tmp_path, "a.jsonl", '{"text": "\\ud83d\\ude00"}'))[0][0][1]["text"] == "😀"


def test_depth_64_is_allowed(tmp_path):
    record = '{"text": "a", "m": ' + "[" * 64 + "]" * 64 + "}"
    assert len(rows(write(tmp_path, "a.jsonl", record))[0]) == 1


def test_a_bad_line_is_refused_by_its_line_number(tmp_path):
    good, bad = rows(
        write(tmp_path, "a.jsonl", '{"text": "a"}\n\n{"text": \n["b"]\n{"text":"c"} {}\n')
    )
    assert [number for number, _ in good] == [1]
    assert [number for number, _ in bad] == [3, 4, 5]


def test_a_cut_off_file_is_refused_before_any_row_is_used(tmp_path):
    for text in ('[{"text": "a"}, {"text": "b"', '{"data": [{"text": "a"}', '[{"text": "a"}] []'):
        with pytest.raises(ImportRefused, match=r"no valid JSON.*line 1"):
            rows(write(tmp_path, "a.json", text))


def test_a_mark_and_utf_16_are_read_over(tmp_path):
    text = '[{"text": "größe"}]'
    for encoding in ("utf-8-sig", "utf-16"):
        assert rows(write(tmp_path, "a.json", text.encode(encoding)))[0] == [(1, {"text": "größe"})]


def test_a_long_line_of_many_byte_characters_is_utf_8_beyond_doubt(tmp_path):
    path = write(tmp_path, "a.json", '["x' + '", "'.join(["語" * 1000] * 1000) + '"]')
    assert (found(path).encoding, found(path).confidence) == ("utf-8", 1.0)
