"""Cells that a spreadsheet would take for a formula, made harmless and back again.

After OWASP, "CSV Injection": = + - @, tab and carriage return at the start, here also behind
blanks and in the full-width forms that spreadsheets accept.
"""

import re

_BLANK = r"[\s\u200b-\u200f\u2060\ufeff]*"
_DANGEROUS = re.compile(rf"'*(?:[\t\r]|{_BLANK}[=+\-@＝＋－＠])")
_GUARDED = re.compile(rf"''*(?:[\t\r]|{_BLANK}[=+\-@＝＋－＠])")


def is_dangerous(cell: str) -> bool:
    return _DANGEROUS.match(cell) is not None


def guarded(cell: str) -> str:
    """The cell behind an apostrophe, if it needs one. Cells that look guarded already get another
    one, so that `unguarded` gives back exactly what was there."""
    return "'" + cell if _DANGEROUS.match(cell) else cell


def unguarded(cell: str) -> str:
    return cell[1:] if _GUARDED.match(cell) else cell
