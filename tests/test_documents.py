"""What the documentation says about the tests is so."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent
CHECKS = TESTS.parent / "docs" / "checks.md"
ROW = re.compile(r"^\| A(\d\d) \|[^|]*\|([^|]*)\|", re.MULTILINE)


def existing():
    """Every test function as path::name."""
    for path in TESTS.rglob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{path.relative_to(TESTS)}::{node.name}"


def listed():
    """What each check names in backquotes: tests, or whole files."""
    rows = ROW.findall(CHECKS.read_text(encoding="utf-8"))
    return {number: set(re.findall(r"`([^`]+)`", tests)) for number, tests in rows}


def test_every_test_that_the_list_of_checks_names_exists():
    known = set(existing())
    files = {name.partition("::")[0] for name in known}
    named = set().union(*listed().values())
    assert len(named) > 50
    assert named - known - files == set()


def test_every_test_of_a_check_is_listed_under_it():
    checks = listed()
    numbered = [(re.search(r"::test_a(\d\d)_", name), name) for name in existing()]
    missing = [name for found, name in numbered if found and name not in checks.get(found[1], ())]
    assert missing == []
