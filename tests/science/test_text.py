"""The same sample has the same hash, and only the same sample."""

from synthlab.science.text import content_hash


def test_composed_and_decomposed_letters_are_the_same_text():
    assert content_hash({"text": "caf\u00e9"}) == content_hash({"text": "cafe\u0301"})


def test_the_order_of_the_fields_does_not_matter():
    assert content_hash({"a": "1", "b": "2"}) == content_hash({"b": "2", "a": "1"})


def test_case_space_and_full_width_forms_are_content():
    texts = ["Ab", "ab", "ab ", "ａｂ"]
    assert len({content_hash({"text": text}) for text in texts}) == 4


def test_texts_do_not_run_into_each_other():
    assert content_hash({"a": "x", "b": "yz"}) != content_hash({"a": "xy", "b": "z"})


def test_a_lone_surrogate_can_be_hashed():
    assert content_hash({"text": "\ud800"}) != content_hash({"text": "?"})


def test_the_hash_is_stable_for_ever():
    # sha256 of {"text":"a"}: stored in rows, so a change here breaks duplicate detection.
    expected = "6193c97585a0f731ce7b500bb69d2476816afb14c8d95ac8e6e865f680e9e438"
    assert content_hash({"text": "a"}) == expected
