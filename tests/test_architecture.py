"""Nobody imports upstairs."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {
    "synthlab.science": 0,
    "annotation.task_types": 1,
    "generation.techniques": 1,
    "generation.llm": 1,
    "annotation.models": 2,
    "generation.models": 2,
    "annotation.access": 2,
    "generation.access": 2,
    "annotation.sentences": 3,
    "annotation.arrays": 3,
    "annotation.arrays_agreement": 3,
    "annotation.arrays_assisted": 3,
    "annotation.arrays_certificate": 3,
    "annotation.arrays_chances": 3,
    "annotation.arrays_codes": 3,
    "annotation.arrays_features": 3,
    "annotation.arrays_lab": 3,
    "annotation.arrays_forecast": 3,
    "annotation.arrays_learning": 3,
    "annotation.arrays_outcome": 3,
    "annotation.arrays_stale": 3,
    "annotation.arrays_strata": 3,
    "annotation.arrays_votes": 3,
    "annotation.filters": 3,
    "generation.arrays": 3,
    "annotation.reports": 3,
    "generation.reports": 3,
    "generation.reports_vectors": 3,
    "annotation.actions": 4,
    "generation.actions": 4,
    "annotation.exports": 4,
    "annotation.imports": 4,
    "annotation.tasks": 5,
    "generation.tasks": 5,
}
TOP = 6
OUTSIDE = {"django", "openai", "celery"}


def floor(module):
    for name, level in FLOORS.items():
        if module == name or module.startswith(name + "."):
            return level
    return TOP if module.startswith(("annotation.", "generation.")) else None


def modules():
    for app in ("synthlab", "annotation", "generation"):
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(("module", "path"), list(modules()))
def test_nobody_imports_upstairs(module, path):
    here = floor(module)
    for name in imported(path):
        there = floor(name)
        if here is not None and there is not None:
            assert there <= here, f"{module} (floor {here}) imports {name} (floor {there})"
        if module.startswith("annotation"):
            assert name.split(".")[0] != "generation", f"{module} imports {name}"
        if module.startswith("synthlab.science"):
            assert name.split(".")[0] not in OUTSIDE, f"{module} imports {name}"
        if name.split(".")[0] == "openai":
            assert module == "generation.llm.openai_client", f"{module} imports openai"


@pytest.mark.parametrize(("module", "path"), list(modules()))
def test_no_imports_inside_functions(module, path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not inner, f"{module}.{node.name} imports inside the function"
