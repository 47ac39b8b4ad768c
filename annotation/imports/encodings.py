"""Which encoding a text file has, and how sure that is."""

import codecs
from typing import BinaryIO, NamedTuple

from charset_normalizer import from_bytes

BLOCK = 1 << 20
SAMPLE = 1 << 16  # bytes of the lines that are not ASCII, which alone say something

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# In order of preference where the evidence is the same: many one-byte encodings fit Western text.
_PLAUSIBLE = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1257", "cp1255", "cp1256", "koi8_r"),
    *("cp932", "shift_jis", "euc_jp", "gb18030", "gbk", "gb2312", "big5", "big5hkscs"),
    *("cp949", "euc_kr", "cp874", "iso2022_jp"),
)


class Encoding(NamedTuple):
    """`confidence` is 1 where the bytes prove it, and about one half for a mere guess."""

    name: str
    confidence: float


def handler(encoding: str) -> str:
    """How to decode so that a broken byte becomes a lone surrogate, which refuses its row."""
    return "surrogatepass" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"


def encoding_of(stream: BinaryIO) -> Encoding:
    """Read the stream to its end: one letter on the last page decides between encodings."""
    head = stream.read(BLOCK)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name, 1.0)
    if name := _utf16_without_mark(head):
        return Encoding(name, 0.9)
    valid = broken = 0
    sample = bytearray()
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    while head:
        text = decoder.decode(head)  # keeps a character that the block cuts in two
        if not text.isascii():
            good, bad = _count(text)
            valid, broken = valid + good, broken + bad
            if len(sample) < SAMPLE:
                sample += _lines_beyond_ascii(head, SAMPLE - len(sample))
        head = stream.read(BLOCK)
    broken += len(decoder.decode(b"", final=True))
    if not broken:
        return Encoding("utf-8", 1.0)
    if valid > 10 * broken:
        return Encoding("utf-8", round(valid / (valid + broken), 2))
    return _guess(bytes(sample))


def _count(text: str) -> tuple[int, int]:
    """How many characters beyond ASCII are whole, and how many bytes were no UTF-8."""
    whole = len(text.encode("utf-8", "ignore").decode())
    return whole - len(text.encode("ascii", "ignore")), len(text) - whole


def _lines_beyond_ascii(block: bytes, room: int) -> bytes:
    lines = [line for line in block.split(b"\n") if not line.isascii()]
    return b"\n".join(lines)[:room] + b"\n"


def _utf16_without_mark(head: bytes) -> str | None:
    """Every second byte of Western text in UTF-16 is NUL."""
    head = head[:4096]
    if len(head) < 8 or len(head) % 2:
        head = head[: len(head) // 2 * 2]
    half = len(head) // 2
    even, odd = head[::2].count(0), head[1::2].count(0)
    if half >= 4 and odd > 0.7 * half and not even:
        return "utf-16-le"
    if half >= 4 and even > 0.7 * half and not odd:
        return "utf-16-be"
    return None


def _guess(sample: bytes) -> Encoding:
    """The likeliest legacy encoding; Windows-1252 unless something speaks clearly against it."""
    found = {match.encoding: match for match in from_bytes(sample)}
    candidates = [found[name] for name in _PLAUSIBLE if name in found]
    if candidates:
        best = max(match.coherence - match.chaos for match in candidates)
        near = next(m for m in candidates if m.coherence - m.chaos > best - 0.1)
        if near.coherence >= 0.15 or near.encoding == "cp1252":
            confidence = 0.5 + 0.45 * min(1.0, near.coherence * (1 - near.chaos))
            return Encoding(near.encoding, round(confidence, 2))
        if near.encoding in _PLAUSIBLE[9:]:  # multi-byte: valid by its structure
            return Encoding(near.encoding, 0.6)
    undefined = any(byte in sample for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
    return Encoding("latin-1" if undefined else "cp1252", 0.5)
