"""Whatever bytes arrive, the answer is rows that can be stored, or a refusal; never a crash."""

import gzip
import json
import random

import pytest

from annotation.imports.reasons import ImportRefused
from tests.annotation.reading import rows, write
from tests.annotation.test_reading_workbooks import write_book, write_parquet

WHOLE = {
    "a.csv": 'id,text\n1,"a, ""b""\nc"\n2,größe\n'.encode() * 5,
    "a.tsv": b'id\ttext\n1\t"a b\n2\tc"\n' * 5,
    "utf16.csv": "id;text\n1;a\n2;b\n".encode("utf-16"),
    "latin.csv": b"id,text\n1,caf\xe9 au lait\n2,b\n" * 3,
    "a.csv.gz": gzip.compress(b"id,text\n1,a\n2,b\n" * 20),
    "pairs.json": b'{"train": [["a b", "x"]], "test": [["c", "y"]]}',
    "list.json": b'[{"id": 1, "text": "a", "m": {"k": [1, 2.5, null]}}, {"text": "b"}]',
    "keyed.json": b'{"a": {"text": "x"}, "b": {"text": "y"}}',
    "a.jsonl": b'{"id": 1, "text": "a"}\n{"id": 2, "text": "\\ud83d\\ude00"}\n' * 3,
    "a.xlsx": None,
    "a.parquet": None,
}
PIECES = (
    *(b'"', b",", b"\n", b"\r", b"\0", b"[", b"]", b"{", b"}", b":", b"\t", b"\xff"),
    *(b"\xed\xa0\x80", b"NaN", b"1e999", b"9" * 200, b"\\ud800", b"null", b"\\"),
)


def whole(directory, name):
    if name == "a.xlsx":
        return write_book(directory, {"one": [["id", "text"], [1, "a"], [2, "b"]]}).read_bytes()
    if name == "a.parquet":
        return write_parquet(directory, id=[1, 2], text=["a", "b"], m=[[1], [2, 3]]).read_bytes()
    return WHOLE[name]


def damaged(content, rng):
    """A few bytes changed, put in, taken out or cut off."""
    content = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(content))
        change = rng.randrange(4)
        if change == 0:
            content[at] = rng.randrange(256)
        elif change == 1:
            content[at:at] = rng.choice(PIECES)
        elif change == 2:
            del content[at : at + rng.randint(1, 8)]
        elif rng.random() < 0.3:
            del content[at:]
        content = content or bytearray(b"x")
    return bytes(content)


@pytest.mark.parametrize("name", WHOLE)
def test_damage_never_breaks_the_reader(tmp_path, name):
    rng = random.Random(name)
    content = whole(tmp_path, name)
    assert rows(write(tmp_path, name, content))[0]
    for _ in range(40):
        path = write(tmp_path, name, damaged(content, rng))
        try:
            good, bad = rows(path)
        except ImportRefused:
            continue
        for number, values in good:
            stored = json.dumps(values, allow_nan=False, ensure_ascii=False)
            assert number > 0
            assert "\\u0000" not in stored
            assert stored.encode()  # a lone surrogate would raise
        assert all(number > 0 and reason for number, reason in bad)
