"""From rows to samples: the proposal for the columns, and what each row becomes."""

import pytest

from annotation.imports.guess import guess
from annotation.imports.mapping import Mapping, StagedSample, apply, check_mapping
from annotation.imports.reasons import ImportRefused, Row


def guessed(*records):
    columns = tuple(dict.fromkeys(key for record in records for key in record))
    return guess(columns, [Row(number, record) for number, record in enumerate(records, 1)])


def reason(values, mapping):
    return str(apply(Row(5, values), mapping).reason)


def test_names_tell_text_id_label_and_split():
    mapping = guessed(
        {"id": "1", "label": "a", "text": "A sentence.", "split": "train", "lang": "en"},
        {"id": "2", "label": "b", "text": "Another one.", "split": "test", "lang": "en"},
    )
    assert (mapping.id, mapping.text, mapping.reference, mapping.split) == (
        *("id", ("text",), "label", "split"),
    )


def test_a_sentence_comes_with_its_context_which_may_be_empty():
    mapping = guessed(
        {
            **{"sentenceid": "1", "_golden": "", "sentence_text": "Το κείμενο."},
            **{"pre_sentence": "Πριν.", "post_sentence": "Μετά."},
        }
    )
    assert mapping.text == ("sentence_text", "pre_sentence", "post_sentence")
    assert mapping.optional == ("pre_sentence", "post_sentence")
    assert mapping.id == "sentenceid"


def test_two_responses_are_a_pair_after_what_they_answer():
    answer = "A response of some words."
    mapping = guessed(
        {"idx": 0, "instruction": "Do it.", "input": "", "response1": answer, "response2": answer}
    )
    assert mapping.text == ("instruction", "input", "response1", "response2")
    assert mapping.optional == ("input",)


def test_without_names_the_contents_tell():
    texts = ["Is this in New Orleans?", "You know the answer.", "I am sad.", "Fine, fine."]
    labels = ["27", "4,27", "25", "4,25"]
    mapping = guessed(
        *(
            {"column_1": text, "column_2": label, "column_3": f"ed{n}"}
            for n, (text, label) in enumerate(zip(texts, labels, strict=True))
        )
    )
    assert mapping.text == ("column_1",)
    assert mapping.reference == "column_2"
    assert mapping.separator == ","
    assert mapping.id == "column_3"


def test_a_label_beside_a_text_is_no_pair():
    kinds = ["ham", "spam"] * 5
    mapping = guessed(
        *({"v1": kind, "v2": f"Message number {n} here"} for n, kind in enumerate(kinds))
    )
    assert (mapping.text, mapping.reference) == (("v2",), "v1")


def test_an_id_that_repeats_is_no_id():
    mapping = guessed({"item_id": "a", "text": "x y"}, {"item_id": "a", "text": "z y"})
    assert mapping.id is None


def test_a_column_called_id_stays_one_when_a_few_rows_repeat_it():
    rows = [{"id": str(min(n, 8)), "text": f"x y {n}"} for n in range(10)]
    assert guessed(*rows).id == "id"
    rows = [{"id": str(n // 2), "text": f"x y {n}"} for n in range(10)]
    assert guessed(*rows).id is None


def test_a_row_becomes_a_sample_with_everything_else_as_meta():
    mapping = Mapping(text=("sentence",), id="n", reference="gold", split="part")
    row = Row(
        2, {"n": 7.0, "sentence": " kept as it is ", "gold": True, "part": "oos_val", "x": [1]}
    )
    assert apply(row, mapping) == StagedSample(
        "7", {"text": " kept as it is "}, {"x": [1]}, "true", "dev"
    )


def test_several_text_columns_keep_their_names_and_order_or_get_given_ones():
    row = Row(2, {"b": "two", "a": "one"})
    assert list(apply(row, Mapping(text=("a", "b"))).fields.items()) == [("a", "one"), ("b", "two")]
    named = Mapping(text=("a", "b"), names=("premise", "hypothesis"))
    assert apply(row, named).fields == {"premise": "one", "hypothesis": "two"}


def test_only_the_chosen_meta_is_kept():
    mapping = Mapping(text=("text",), meta=("lang",))
    assert apply(Row(1, {"text": "a", "lang": "en", "x": 1}), mapping).meta == {"lang": "en"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a; b;", ["a", "b"]), (["x", 3], ["x", "3"]), ("", None), (None, None), ("a", ["a"])],
)
def test_several_labels_in_one_cell(value, expected):
    mapping = Mapping(text=("text",), reference="labels", separator=";")
    assert apply(Row(1, {"text": "a", "labels": value}), mapping).reference == expected


def test_words_are_joined_to_a_text_unless_the_user_says_no():
    row = Row(1, {"tokens": ["It", "works", "."]})
    assert apply(row, Mapping(text=("tokens",))).fields == {"text": "It works ."}
    assert "not text but a list" in reason(row.values, Mapping(text=("tokens",), join_tokens=False))


def test_what_is_no_text_is_refused_and_never_converted():
    mapping = Mapping(text=("text",))
    assert "not text but true or false (true)" in reason({"text": True}, mapping)
    assert "not text but a number (5)" in reason({"text": 5}, mapping)
    assert "not text but an object" in reason({"text": {"a": 1}}, mapping)


@pytest.mark.parametrize("empty", ["", "  \n\u00a0", None])
def test_an_empty_text_is_refused_unless_it_may_be_empty(empty):
    assert "“b” is empty" in reason({"a": "x", "b": empty}, Mapping(text=("a", "b")))
    sample = apply(Row(1, {"a": "x", "b": empty}), Mapping(text=("a", "b"), optional=("b",)))
    assert sample.fields == {"a": "x", "b": ""}


def test_a_missing_id_an_unknown_split_and_a_nested_reference_are_refused():
    mapping = Mapping(text=("text",), id="id", split="split", reference="label")
    good = {"id": "1", "text": "a", "split": "train", "label": "x"}
    assert apply(Row(1, good), mapping).split == "pool"
    assert "has no id" in reason({**good, "id": " "}, mapping)
    assert "longer than 300" in reason({**good, "id": "x" * 301}, mapping)
    assert "“blue” is none that is known" in reason({**good, "split": "blue"}, mapping)
    assert "neither a value nor a list" in reason({**good, "label": {"a": 1}}, mapping)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (Mapping(), "No column is chosen as text"),
        (Mapping(text=("txt",)), "There is no column “txt”. The columns are “text”"),
        (Mapping(text=("text",), reference="gold"), "no column “gold”"),
        (Mapping(text=("text", "b"), names=("same", "same")), "two of them are the same"),
        (Mapping(text=("text", "b"), names=("one",)), "1 names are given for 2"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused_before_any_row(mapping, message):
    with pytest.raises(ImportRefused, match=message):
        check_mapping(mapping, ("text", "b"))
