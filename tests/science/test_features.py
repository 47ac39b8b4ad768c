"""Texts as vectors: near where people would say so, in any script, and never NaN."""

import numpy as np
import pytest

from synthlab.science.features import text_features, unit_rows

# Beginnings are shared between the topics. Chinese sets no words apart, Korean inflects them.
SENTENCES = {
    "English": (
        ["Yesterday I heard that ", "The paper says ", "My teacher told us: ", "At last "],
        ["the library opens on Sunday", "Sunday opening at our libraries"],
        ["fuel prices rose again", "the price of fuel is rising"],
    ),
    "Chinese": (
        ["昨天我听说", "报纸上说", "老师告诉我们", "终于"],
        ["图书馆星期天开放", "我们的图书馆每个星期天都开放"],
        ["汽油价格又上涨了", "汽油的价格上涨得很快"],
    ),
    "Korean": (
        ["어제 들었는데 ", "신문에 따르면 ", "선생님 말씀이 ", "드디어 "],
        ["도서관은 일요일에 문을 엽니다", "우리 도서관이 일요일마다 문을 열어요"],
        ["기름값이 또 올랐습니다", "요즘 기름값은 빠르게 올라요"],
    ),
}


@pytest.mark.parametrize("language", SENTENCES)
def test_texts_about_the_same_thing_are_nearest_in_any_script(language):
    beginnings, *topics = SENTENCES[language]
    texts = [start + end for topic in topics for start in beginnings for end in topic]
    rows = text_features(texts, dimensions=6)
    likeness = rows @ rows.T - 2 * np.eye(16)
    assert (likeness.argmax(axis=1) // 8).tolist() == [0] * 8 + [1] * 8
    within = likeness[:8, :8].sum() + likeness[8:, 8:].sum() + 2 * 16
    assert within / 112 > likeness[:8, 8:].mean() + 0.2


def test_rows_have_length_one_and_are_small_floats():
    rows = text_features([f"text about number {n} and {n % 7}" for n in range(200)])
    assert rows.shape == (200, 64)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(200), abs=1e-6)


def test_the_seed_decides_the_rows():
    texts = [f"text {n * n}" for n in range(120)]
    assert (text_features(texts, seed=3) == text_features(texts, seed=3)).all()


def test_small_corpora_get_fewer_dimensions_and_keep_what_sets_them_apart():
    rows = text_features(["one cat", "two dogs", "three birds"])
    assert rows.shape == (3, 3)
    assert (rows @ rows.T).round(6) == pytest.approx(np.eye(3), abs=0.5)


@pytest.mark.parametrize(
    "texts", [["alone"], ["same text"] * 30, ["x"], ["!"], ["a", "a"], ["\ud800 broken"]]
)
def test_one_text_and_equal_texts_are_one_direction(texts):
    rows = text_features(texts)
    assert rows.shape == (len(texts), 1)
    assert np.abs(rows) == pytest.approx(np.ones((len(texts), 1)))
    assert (rows == rows[0]).all()


@pytest.mark.parametrize("texts", [[""], ["", " ", "\n\t"]])
def test_without_a_character_there_are_only_zeros(texts):
    assert not text_features(texts).any()


def test_an_empty_text_among_others_is_a_row_of_zeros():
    rows = text_features(["", "one cat", "two dogs", ""])
    assert np.isfinite(rows).all()
    assert not rows[[0, 3]].any()
    assert rows[[1, 2]].any(axis=1).all()


def test_no_text_is_no_row():
    assert text_features([]).shape == (0, 1)


def test_no_dimension_is_refused():
    with pytest.raises(ValueError, match="at least one dimension"):
        text_features(["a"], dimensions=0)


def test_upper_case_and_full_width_forms_are_the_same_text():
    rows = text_features(["ＡＢＣ news", "abc NEWS", "something else"])
    assert rows[0] == pytest.approx(rows[1])


def test_length_is_taken_out_of_tiny_and_huge_rows_alike():
    rows = unit_rows(np.array([[3e-200, 4e-200], [3e200, 4e200], [0, 0]]))
    assert rows == pytest.approx(np.array([[0.6, 0.8], [0.6, 0.8], [0, 0]]))
