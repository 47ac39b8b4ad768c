"""Codebooks as files: reading what was written gives equal rules; others' files are read kindly."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.imports.codebook_source import BadCodebook
from annotation.imports.codebooks import as_json, as_markdown, read_codebook
from annotation.task_types import TASK_TYPES
from annotation.task_types.base import Example, LabelRule, Rules
from annotation.task_types.checks import KEYS, plain

SINGLE, RATING = TASK_TYPES["single_label"], TASK_TYPES["rating"]


def read(text, task=SINGLE, samples=()):
    texts = dict(samples)
    content = text if isinstance(text, bytes) else text.encode()
    return read_codebook(content, task, lambda ids: {x: texts[x] for x in ids if x in texts})


def read_json(document, **options):
    return read(json.dumps(document), **options)


RULES = Rules(
    question="Which policy area?",
    instructions="# Read first\n\nThen *decide*.\n\n```\n# a comment\n```\n\\# kept",
    labels=(
        LabelRule(
            slug="economy",
            name="Economy {#not-a-slug}",
            definition="## Mainly\nabout money.",
            include="tax\nspending",
            exclude="- Key: `2`",
            examples=(
                Example("Lower taxes.\n\n#### Near miss", "It names tax.", False),
                Example("A slogan | with, signs", "", True),
            ),
            key="1",
            number=-1.25,
        ),
        LabelRule(slug="社会", name="社会", definition="关于社会生活。", key=""),
        LabelRule(slug="الدين", name="الدين", key="d", number=2.0),
    ),
    unsure=True,
    unsure_policy="Only if\n# broken",
    language="zh",
)


@pytest.mark.parametrize("write", [as_json, as_markdown])
def test_a_written_codebook_reads_back_as_equal_rules(write):
    result = read(write(RULES, SINGLE, 3))
    assert result.rules == RULES
    assert result.remarks == ()


prose = st.text(
    st.sampled_from("ab Z#\\-*`{}|:\n\t.é中ع\u2028\x85\u00a0") | st.characters(codec="utf-8"),
    max_size=60,
).map(lambda text: plain("".join(x for x in text if x in "\n\t" or not "\x00" <= x < " ")))
prose = prose.filter(lambda text: "\x7f" not in text)
names = prose.map(lambda text: " ".join(text.split())).filter(bool)
some_examples = st.lists(
    st.builds(Example, prose.filter(bool), prose, st.booleans()), max_size=2
).map(tuple)
label_rules = st.builds(
    LabelRule,
    slug=st.from_regex(r"[-\w]{1,20}", fullmatch=True).filter(lambda slug: slug != "unsure"),
    name=names,
    definition=prose,
    include=prose,
    exclude=prose,
    examples=some_examples,
    number=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
some_rules = st.builds(
    Rules,
    question=prose,
    instructions=prose,
    labels=st.lists(label_rules, max_size=3, unique_by=lambda label: label.slug).map(
        lambda labels: tuple(
            LabelRule(**{**vars(label), "key": KEYS[i] if i else ""})
            for i, label in enumerate(labels)
        )
    ),
    unsure=st.booleans(),
    unsure_policy=prose,
)


@settings(max_examples=150, deadline=None)
@given(rules=some_rules)
def test_any_rules_survive_both_formats(rules):
    assert read(as_json(rules, SINGLE)).rules == rules
    assert read(as_markdown(rules, SINGLE)).rules == rules


def test_a_published_codebook_with_other_names_is_read_and_its_rest_is_named():
    result = read_json(
        {
            "task": "Which area?",
            "source": "somewhere",
            "note": "Paraphrased.",
            "labels": [
                {
                    "name": "economic",
                    "definition": "About the economy.",
                    "include": "tax",
                    "examples": ["20004771", "Taxes should fall."],
                    "kind": "intent",
                },
                {"name": "neither"},
            ],
            "second_question": {},
        }
    )
    assert result.rules.question == "Which area?"
    assert result.rules.instructions == "Paraphrased."
    assert result.rules.slugs == ("economic", "neither")
    assert [label.key for label in result.rules.labels] == ["1", "2"]
    assert result.rules.labels[0].examples == (Example("Taxes should fall."),)
    assert "Ignored: second_question, source." in result.remarks
    assert "labels[]: ignored: kind." in result.remarks
    assert any("20004771" in remark for remark in result.remarks)


def test_an_example_that_is_the_id_of_a_sample_becomes_its_text():
    document = {"labels": [{"name": "a", "examples": ["en-1", "en-2"]}]}
    result = read_json(document, samples={"en-1": "The first speech."})
    assert result.rules.labels[0].examples == (Example("The first speech."),)
    assert any("en-2" in remark and "en-1" not in remark for remark in result.remarks)


def test_a_number_as_name_stays_the_identity_and_becomes_the_point_of_a_scale():
    document = {"labels": [{"name": "-1", "title": "against"}, {"name": "1", "title": "for"}]}
    labels = read_json(document, task=RATING).rules.labels
    assert [(label.slug, label.name, label.number) for label in labels] == [
        ("-1", "against", -1.0),
        ("1", "for", 1.0),
    ]
    assert read_json(document, task=SINGLE).rules.labels[0].number is None


def test_labels_may_be_given_by_name_alone():
    assert read_json({"labels": ["Yes please", "No"]}).rules.slugs == ("yes-please", "no")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\xff\xfe{", "UTF-8"),
        (b'{"labels": [', "line 1"),
        (b"[" * 100_000, "no JSON"),
        (b'{"labels": 3}', "“labels”"),
        (b"Just a text.", "## Labels"),
        (b'{"labels": [{"name": ["a"]}]}', "labels[0].name"),
        (b'{"labels": [{"name": "a", "number": "x"}]}', "labels[0].number"),
        (b'{"labels": [{"name": "a", "number": NaN}]}', "finite"),
        (b'{"labels": [{"name": ""}]}', "Give the label a name"),
        (b'{"labels": [{"name": "a", "slug": "a|b"}]}', "slug"),
        (b'{"labels": [{"name": "a", "slug": "unsure"}]}', "slug"),
        (b'{"labels": [{"name": "a", "key": "u"}]}', "“u” does something else"),
        (b'{"labels": [{"name": "a", "key": "12"}]}', "one character"),
        (b'{"labels": [{"name": "a", "key": "1"}, {"name": "b", "key": "1"}]}', "too"),
        (b'{"labels": [{"name": "a", "slug": "x"}, {"name": "b", "slug": "x"}]}', "same slug"),
        (b'{"labels": [{"name": "a", "name": "b"}]}', "twice"),
        (b'{"labels": [{"name": "a\\u0000"}]}', "U+0000"),
        (b'{"labels": [{"name": "a\\ud800"}]}', "U+D800"),
        (b'{"question": "' + b"x" * 501 + b'", "labels": []}', "Question: 501"),
        (b'{"labels": [{"name": "a", "definition": "' + b"x" * 4001 + b'"}]}', "definition: 4,001"),
        (b"x" * (2 * 1024**2 + 1), "2 MB"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(content, says):
    with pytest.raises(BadCodebook) as refused:
        read(content)
    assert says in str(refused.value)


def test_unknown_parts_of_a_markdown_file_are_named_with_their_line():
    text = (
        "# Rules\n\n## Question\n\nWhich?\n\n## History\n\nOld.\n\n## Labels\n\n### Yes\n\n### No\n"
    )
    result = read(text)
    assert result.rules.question == "Which?"
    assert result.rules.slugs == ("yes", "no")
    assert any("Line 7" in remark and "History" in remark for remark in result.remarks)


def test_a_file_for_another_task_type_says_so():
    assert "rating" in read(as_json(RULES, RATING)).remarks[0]


def test_a_line_of_spaces_does_not_keep_the_reader_busy():
    text = "## Labels\n\n### a" + " " * 200_000 + "b\n\n- Key:" + " " * 200_000 + "x y\n"
    with pytest.raises(BadCodebook):
        read(text)


def test_labels_named_by_digits_get_these_digits_as_keys_unless_that_would_mislead():
    digits = read_json({"labels": ["1", "2", "0"]}).rules.labels
    assert [label.key for label in digits] == ["1", "2", "0"]
    signed = read_json({"labels": ["-1", "0", "1"]}).rules.labels
    assert [label.key for label in signed] == ["1", "2", "3"]


def documented(language):
    page = (Path(__file__).parents[2] / "docs" / "codebooks.md").read_text()
    return re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)[1]


def test_the_documented_files_are_read_and_say_the_same():
    json_file, markdown_file = read(documented("json")), read(documented("markdown"))
    assert json_file.rules == markdown_file.rules
    assert len(json_file.rules.labels[0].examples) == 2
    assert json_file.remarks == markdown_file.remarks == ()


def test_the_files_are_written_as_documented():
    rules = read(documented("json")).rules
    assert json.loads(as_json(rules, SINGLE, 3)) == json.loads(documented("json"))
    assert as_markdown(rules, SINGLE, 3) == documented("markdown")
