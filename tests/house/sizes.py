"""How large files and functions are, and how many parameters a function takes."""

import ast
from collections.abc import Iterator

FILE_LINES, FUNCTION_LINES, PARAMETERS = 300, 40, 6
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Every function with its qualified name, inner ones too."""
    stack: list[tuple[str, ast.AST]] = [("", tree)]
    while stack:
        outer, node = stack.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield f"{outer}{child.name}", child
                stack.append((f"{outer}{child.name}.", child))
            elif isinstance(child, ast.ClassDef):
                stack.append((f"{outer}{child.name}.", child))
            elif isinstance(child, ast.If | ast.Try | ast.With):
                stack.append((outer, child))


def lines(function: Function) -> int:
    """Of its code: decorators and the docstring do not count."""
    first = function.body[0]
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if ast.get_docstring(function, clean=False) is not None else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def parameters(function: Function) -> int:
    """As a caller sees it: without self or cls. FastAPI fills in the parameters of a route; they count for nobody."""
    if any(isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute) for decorator in function.decorator_list):
        return 0
    taken = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return len([each for each in taken if each.arg not in ("self", "cls")])
