"""House rules over the whole tree: wording, sizes, parameters and imports. usage: python -m tests.house [--shrink]

Run by scripts/check. `exceptions.json` lists what is above a limit today. Its numbers may only fall: --shrink writes the lower ones.
"""

import ast
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.house import imports, sizes, words

ROOT = Path(__file__).parents[2]
FOLDERS = ("zcplatform", "scripts", "docs", "bench", "tests", ".ci")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "AGENTS.md")
SUFFIXES = (".py", ".md", ".html", ".sql", ".service", ".js", ".css", "")
RELEASED = "zcplatform/store/steps/"
"""Steps of the schema are never edited after their release, not even their comments."""
IMPORT_LATE = ("zcplatform.__main__", "zcplatform.serve", "zcplatform.cli.", "zcplatform.worker.app")
"""A command imports only what it needs, so that help and completion are fast; the worker loads the mail library only if mail is configured."""
EXCEPTIONS = Path(__file__).with_name("exceptions.json")


@dataclass
class Found:
    """What is above a limit. Keys of `sizes` name a file or `file:function`; `words` counts per file."""

    words: Counter[str] = field(default_factory=Counter)
    sizes: dict[str, int] = field(default_factory=dict)
    wording: list[str] = field(default_factory=list)
    oversized: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def files() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(ROOT / folder).parts)
            if path.is_file() and path.suffix in SUFFIXES and not hidden:
                yield path
    yield from (ROOT / name for name in PAGES if (ROOT / name).exists())


def look() -> Found:
    found = Found()
    trees: dict[str, tuple[bool, ast.Module]] = {}
    for path in files():
        name, text = str(path.relative_to(ROOT)), path.read_text()
        if path.parent != EXCEPTIONS.parent and not name.startswith(RELEASED):
            for line, word, better in words.findings(path, text):
                found.words[name] += 1
                found.wording.append(f"{name}:{line}: “{word}”: write {better}")
        if path.suffix == ".py":
            _measure(found, name, text)
            tree = ast.parse(text)
            _look_at_functions(found, name, tree)
            if name.startswith("zcplatform/"):
                trees[name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")] = path.name == "__init__.py", tree
    _look_at_imports(found, trees)
    return found


def _measure(found: Found, name: str, text: str) -> None:
    _note(found, name, text.count("\n"), sizes.FILE_LINES, f"{name}: %d lines, %d allowed")


def _look_at_functions(found: Found, name: str, tree: ast.Module) -> None:
    for function, node in sizes.functions(tree):
        place = f"{name}:{node.lineno}: {function}"
        _note(found, f"{name}:{function}", sizes.lines(node), sizes.FUNCTION_LINES, f"{place} has %d lines, %d allowed")
        _note(found, f"{name}:{function}()", sizes.parameters(node), sizes.PARAMETERS, f"{place} takes %d parameters, %d allowed")


def _note(found: Found, key: str, size: int, limit: int, sentence: str) -> None:
    if size > limit:
        found.sizes[key] = size
        found.oversized[key] = sentence % (size, limit)


def _look_at_imports(found: Found, trees: dict[str, tuple[bool, ast.Module]]) -> None:
    known = frozenset(trees)
    graph: dict[str, set[str]] = {}
    for name, (is_package, tree) in trees.items():
        graph[name], hidden = imports.of_module(name, is_package, tree, known)
        if not name.startswith(IMPORT_LATE):
            found.wrong += [f"{name}:{line}: an import of ours inside a function; move it to the top" for line in hidden]
    if circle := imports.cycle(graph):
        found.wrong.append(f"import cycle: {' → '.join(circle)}")


def judge(found: Found, allowed: dict[str, dict[str, int]]) -> list[str]:
    """What must change. Words moved to another file are no new words: only a higher total fails."""
    wrong = list(found.wrong)
    if sum(found.words.values()) > sum(allowed["words"].values()):
        risen = {name for name, count in found.words.items() if count > allowed["words"].get(name, 0)}
        wrong += [line for line in found.wording if line.partition(":")[0] in risen]
    moved = Counter(size for key, size in allowed["sizes"].items() if key not in found.sizes)
    for key, size in sorted(found.sizes.items()):
        if size > allowed["sizes"].get(key, 0):
            if key not in allowed["sizes"] and (known := next((each for each in sorted(moved) if each >= size), None)):
                moved -= Counter([known])
            else:
                wrong.append(found.oversized[key])
    return wrong


def shrink(found: Found, allowed: dict[str, dict[str, int]]) -> None:
    before, after = sum(allowed["words"].values()), sum(found.words.values())
    allowed = {"sizes": dict(sorted(found.sizes.items())), "words": dict(sorted(found.words.items()))}
    EXCEPTIONS.write_text(json.dumps(allowed, indent=1, ensure_ascii=False) + "\n")
    print(f"words: {before} before, {after} now; sizes: {len(allowed['sizes'])}")


def main(arguments: list[str]) -> int:
    allowed = json.loads(EXCEPTIONS.read_text()) if EXCEPTIONS.exists() else {"words": {}, "sizes": {}}
    found = look()
    if arguments == ["--all"]:
        print("\n".join([*found.wrong, *found.oversized.values(), *found.wording]))
        return 0
    wrong = judge(found, allowed)
    if arguments == ["--shrink"] and not found.wrong:
        shrink(found, allowed)
        return 0
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
