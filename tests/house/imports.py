"""Cycles between modules of the package, and imports hidden in functions (where a cycle usually hides)."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter


def of_module(name: str, is_package: bool, tree: ast.Module, known: frozenset[str]) -> tuple[set[str], list[int]]:
    """The modules of ours it imports when it is loaded, and the lines of imports of ours that wait in functions."""
    loaded: set[str] = set()
    hidden: list[int] = []
    for node, is_inside in _imports(tree.body, False):
        targets = set(_targets(node, name, is_package, known)) - {name}
        if is_inside and targets:
            hidden.append(node.lineno)
        loaded |= set() if is_inside else targets
    return loaded, hidden


def cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules of one cycle, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _imports(body: list[ast.stmt], is_inside: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, is_inside
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse, is_inside)
        else:
            inner = is_inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for name in ("body", "orelse", "finalbody", "handlers", "cases"):
                for part in getattr(node, name, []):
                    yield from _imports(part.body if isinstance(part, ast.ExceptHandler | ast.match_case) else [part], inner)


def _targets(node: ast.Import | ast.ImportFrom, name: str, is_package: bool, known: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in known)
        return
    module = node.module or ""
    if node.level:
        above = name.split(".")[: len(name.split(".")) - node.level + is_package]
        module = ".".join([*above, *([module] if module else [])])
    for alias in node.names:
        inner = f"{module}.{alias.name}"
        if inner in known:
            yield inner
        elif module in known:
            yield module
