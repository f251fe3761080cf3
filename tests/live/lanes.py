"""Distributes the live tests over lanes (pytest-xdist workers, each in its own namespaces with its own engine): longest work first.

A lane takes a whole file at a time. A long file is cut into pieces, unless a fixture of its module carries state from test to test.
`seconds.json` has what each file took; `scripts/test live --record-seconds` writes it again. It decides the order, never what runs.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

ROOT = Path(__file__).parents[2]
SECONDS = Path(__file__).with_name("seconds.json")
PIECE_S = 60
LAST = "tests/live/test_with_a_killed_engine.py"
"""Nothing follows it in its lane: an engine that was killed may take away the rules of the engine that the other tests share."""
UNKNOWN_S = 30
"""How long a file is taken to last that was never measured."""


def pieces(tests: Sequence[str], seconds: Mapping[str, float], whole: frozenset[str]) -> dict[str, list[str]]:
    """The tests by piece, in the order in which lanes should take them. `whole` are the files that are never cut."""
    by_file: dict[str, list[str]] = defaultdict(list)
    for test in tests:
        by_file[_file(test)].append(test)
    timed: list[tuple[bool, float, str, list[str]]] = []
    for file, inside in sorted(by_file.items()):
        lasts = seconds.get(file, UNKNOWN_S)
        count = 1 if file in whole else min(max(1, round(lasts / PIECE_S)), len(inside))
        for number in range(count):
            part = inside[number * len(inside) // count : (number + 1) * len(inside) // count]
            timed.append((file == LAST, -lasts / count, f"{file} {number + 1}/{count}", part))
    return {name: part for _, _, name, part in sorted(timed)}


def _file(test: str) -> str:
    return test.partition("::")[0]


def _cut(tests: Sequence[str]) -> dict[str, list[str]]:
    seconds = json.loads(SECONDS.read_text()) if SECONDS.exists() else {}
    files = {_file(test) for test in tests}
    return pieces(tests, seconds, frozenset(file for file in files if 'scope="module"' in (ROOT / file).read_text()))


class Lanes(LoadScopeScheduling):
    """One piece at a time for each lane, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        if not hasattr(self, "_piece_of"):
            cut = _cut(next(iter(self.registered_collections.values())))
            self._piece_of = {test: name for name, part in cut.items() for test in part}
        return self._piece_of[nodeid]

    def remove_node(self, node: WorkerController) -> str | None:
        """The finished pieces of a dead lane are not handed out again: a lane that is given nothing to run reports nothing, and waits forever."""
        self.assigned_work[node] = {name: part for name, part in self.assigned_work[node].items() if not all(part.values())}
        crashed: str | None = super().remove_node(node)
        return crashed

    def schedule(self) -> None:
        """A lane that replaces a dead one would wait forever for more than its last test: nothing else would say that there is no more."""
        super().schedule()
        if self.collection and not self.workqueue:
            for node in self.nodes:
                node.shutdown()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    config.option.loadscopereorder = False
    return Lanes(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    by_name = {item.nodeid: item for item in items}
    items[:] = [by_name[test] for part in _cut(list(by_name)).values() for test in part]


class Recorder:
    """What each file took, in all its phases; kept when every test of the run passed."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[_file(report.nodeid)] += report.duration  # type: ignore[assignment]

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus == 0:
            known = json.loads(SECONDS.read_text()) if SECONDS.exists() else {}
            now = {file: round(lasted, 1) for file, lasted in self.seconds.items()}
            kept = {file: lasted for file, lasted in {**known, **now}.items() if (ROOT / file).exists()}
            SECONDS.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-seconds", action="store_true", help="write tests/live/seconds.json again")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--record-seconds") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())
