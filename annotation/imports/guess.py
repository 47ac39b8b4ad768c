"""A first proposal for the roles of the columns, which the user corrects."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from annotation.exports.columns import CELLS, GUARDED, field_of, of_a_release
from annotation.exports.guard import unguarded
from annotation.imports.mapping import Mapping, plain, split_of
from annotation.imports.reasons import Row
from annotation.imports.released import META

# Words of a column's name, the most telling first.
ID = ("id", "uuid", "guid", "idx", "key", "index", "number")
TEXT = (
    *("text", "sentence", "sentence_text", "content", "body", "tweet", "comment", "message"),
    *("review", "utterance", "document", "headline", "post", "question", "query", "response"),
    *("chatgpt_response", "cgpt_response", "answer", "premise", "prompt", "instruction"),
    *("passage", "abstract", "title", "tokens", "words"),
)
REFERENCE = (
    *("label", "labels", "gold", "gold_label", "gold_area", "category", "class", "intent"),
    *("intents", "target", "sentiment", "stance", "reference", "annotation", "tag", "tags"),
    *("emotion", "emotions"),
)
SPLIT = ("split", "subset", "partition", "set", "fold")
BEFORE = {"pre", "before", "previous", "preceding", "left"}
AFTER = {"post", "after", "next", "following", "right"}
PLAIN_ID = ("id", "uuid", "guid")
MOSTLY = 0.8
SEPARATORS = (",", ";", "|")


def guess(columns: tuple[str, ...], rows: list[Row]) -> Mapping:
    """The likeliest roles, from the names first and from the first rows where names say nothing."""
    if of_a_release(columns):
        return _of_a_release(columns, rows)
    cells = {column: [row.values.get(column) for row in rows] for column in columns}
    text = _pair(columns, cells) or _texts(columns, cells)
    rest = [column for column in columns if column not in text]
    id_ = _first(rest, ID, lambda column: _unique(cells[column])) or _named_id(rest, cells)
    rest = [column for column in rest if column != id_]
    split = _first(rest, SPLIT, lambda column: _splits(cells[column]))
    rest = [column for column in rest if column != split]
    reference = _first(rest, REFERENCE, lambda column: _labels(cells[column], False))
    if reference is None:
        unnamed = [c for c in rest if re.fullmatch(r"(column_|v|col|_c?)?\d+", c)]
        found = [c for c in unnamed if _labels(cells[c], True)]
        reference = found[0] if found else None
    if id_ is None:
        unnamed = [c for c in rest if c.startswith("column_") and c != reference]
        id_ = next((c for c in unnamed if len(rows) > 1 and _unique(cells[c])), None)
    return Mapping(
        text=text,
        optional=text[1:] if _context_of(text) else _sometimes_empty(text),
        id=id_,
        reference=reference,
        separator=_separator(cells[reference]) if reference else None,
        split=split,
    )


def _of_a_release(columns: tuple[str, ...], rows: list[Row]) -> Mapping:
    """All that a file of ours says about its samples; what people said of them stays behind."""
    guarded = any(row.values.get(CELLS) == GUARDED for row in rows)
    named = {column: unguarded(column) if guarded else column for column in columns}
    fields = {column: field_of(name) for column, name in named.items()}
    text = tuple(column for column, field in fields.items() if field is not None)
    return Mapping(
        text=text,
        names=tuple(fields[column] for column in text),
        optional=text,
        id="id",
        reference="reference",
        split="split",
        meta=(META,),
    )


def _words(column: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", column.lower()) if word]


def _first(
    columns: Iterable[str], wanted: tuple[str, ...], fits: Callable[[str], bool]
) -> str | None:
    """The column with the most telling name: the whole name before a word of it."""
    for parts in (lambda c: [c.lower(), c.lower().strip("_")], _words):
        for name in wanted:
            for column in columns:
                if name in parts(column) and fits(column):
                    return column
    for column in columns:  # sentenceid, Tweet ID
        if "id" in wanted and column.lower().endswith("id") and fits(column):
            return column
    return None


def _texts(columns: tuple[str, ...], cells: dict[str, list[Any]]) -> tuple[str, ...]:
    """The main text and the context around it."""
    plain_names = [c for c in columns if not (BEFORE | AFTER) & set(_words(c))]
    main = _first(plain_names, TEXT, lambda column: _wordy(cells[column]))
    if main is None:
        main = _first(plain_names, TEXT[:3], lambda column: True)  # empty so far, but so named
    if main is None:
        others = [c for c in columns if not c.lower().endswith("id")]
        weights = {c: _length(cells[c]) * _filled(cells[c]) ** 4 for c in others}
        main = max(weights, key=weights.get, default=None)
    if main is None:
        return tuple(columns[:1])
    around = [c for c in columns if c != main and _wordy(cells[c])]
    near = {"context", "sentence", "text", *_words(main)}
    before = [c for c in around if BEFORE & set(_words(c)) and near & set(_words(c))]
    after = [c for c in around if AFTER & set(_words(c)) and near & set(_words(c))]
    context = [c for c in around if _words(c) == ["context"]]
    return (main, *context, *before, *after)


def _pair(columns: tuple[str, ...], cells: dict[str, list[Any]]) -> tuple[str, ...]:
    """Two texts to compare, like response1 and response2, after what they answer."""
    for column in columns:
        stem = re.fullmatch(r"(.*[a-z])[_ ]?(1|a)", column.lower())
        if not stem or not _wordy(cells[column]):
            continue
        last = "2" if column[-1] == "1" else chr(ord(column[-1]) + 1)
        if (second := column[:-1] + last) in columns and _alike(cells[column], cells[second]):
            ahead = [
                c for c in columns if c.lower() in ("instruction", "input", "prompt", "question")
            ]
            return (*ahead, column, second)
    if "premise" in columns and "hypothesis" in columns:
        return ("premise", "hypothesis")
    return ()


def _alike(left: list[Any], right: list[Any]) -> bool:
    """Whether two columns hold texts of about one length; a label beside a text does not."""
    short, long = sorted((_length(left), _length(right)))
    return short >= 10 and long <= 4 * short


def _context_of(text: tuple[str, ...]) -> bool:
    return any((BEFORE | AFTER | {"context"}) & set(_words(column)) for column in text[1:])


def _sometimes_empty(text: tuple[str, ...]) -> tuple[str, ...]:
    """An input beside an instruction is often empty; an answer must not be."""
    return tuple(c for c in text if c.lower() in ("input", "context") and len(text) > 1)


def _given(values: list[Any]) -> list[Any]:
    return [value for value in values if value is not None and value != ""]


def _filled(values: list[Any]) -> float:
    return len(_given(values)) / max(1, len(values))


def _length(values: list[Any]) -> float:
    """How long the texts of a column are on average; 0 where most are no texts."""
    given = _given(values)
    texts = [v if isinstance(v, str) else " ".join(v) for v in given if _textual(v)]
    if len(texts) * 2 < len(given) or not texts:
        return 0.0
    return sum(map(len, texts)) / len(texts)


def _textual(value: Any) -> bool:
    if isinstance(value, str):
        return not re.fullmatch(r"[-+]?[\d.,]+", value)
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _wordy(values: list[Any]) -> bool:
    return _length(values) > 0


def _unique(values: list[Any]) -> bool:
    given = [plain(v) for v in _given(values) if not isinstance(v, dict | list)]
    return bool(given) and len(set(given)) == len(values) and max(map(len, given)) <= 200


def _named_id(columns: list[str], cells: dict[str, list[Any]]) -> str | None:
    """A column that is called just id, and is one but for a few rows: these will be refused."""
    for column in columns:
        given = {plain(value) for value in _given(cells[column])}
        if column.lower() in PLAIN_ID and len(given) >= MOSTLY * len(cells[column]) > 0:
            return column
    return None


def _splits(values: list[Any]) -> bool:
    given = _given(values)
    return bool(given) and all(split_of(value) for value in given)


def _labels(values: list[Any], strict: bool) -> bool:
    """Short values; `strict`: which also come again, as labels do."""
    given = [
        v if isinstance(v, list) else plain(v) for v in _given(values) if not isinstance(v, dict)
    ]
    if not given:
        return not strict
    flat = [plain(i) for v in given for i in (v if isinstance(v, list) else [v])]
    if strict:
        flat = [part for text in flat for part in re.split(r"[,;|]", text)]
    short = not flat or max(map(len, flat)) <= 100
    return short and (not strict or len(set(flat)) * 2 <= len(flat))


def _separator(values: list[Any]) -> str | None:
    """The sign between several labels of a cell, where the parts come again on their own."""
    texts = [v for v in _given(values) if isinstance(v, str)]
    for sign in SEPARATORS:
        several = [text for text in texts if sign in text]
        parts = Counter(part.strip() for text in texts for part in text.split(sign))
        if several and all(parts[p.strip()] > 1 for text in several[:3] for p in text.split(sign)):
            return sign
    return None
