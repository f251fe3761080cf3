"""S-49, S-73: the create body depends on the fields of a workload and its machine's side, and on nothing else."""

import copy
import dataclasses
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcplatform.agent.agent_settings import parse
from zcplatform.agent.policy import Policy, environment
from zcplatform.agent.runtime import ENVIRONMENT, PROGRAM
from zcplatform.core.slugs import is_slug
from zcplatform.core.workload import TenantRef, Workload
from zcplatform.demo_agent.overrides import OVERRIDDEN
from zcplatform.engines.docker import bodies
from zcplatform.engines.docker.bodies import LABEL_PATHS, HostSide, create_body, first_hash, is_current
from zcplatform.ids import LABEL_GENERATION, LABEL_SPEC, LABEL_TENANT, LOCAL, Names, NodeId, TenantId, new_tenant_id

GOLDEN = json.loads((Path(__file__).parent / "golden" / "container.json").read_text())
NAMES = Names("zc")
SPEC = Workload(
    tenant=TenantRef(TenantId("ten_01jd9a0000abcdefghjkmn"), "acme"),
    node_id=LOCAL,
    generation=7,
    epoch=2,
    image_id="sha256:" + "ab" * 32,
    uid=700_001,
    port=20_001,
    subnet=1,
    memory_bytes=128 * 1024 * 1024,
    cpu_millis=500,
    pids=128,
    resolvers=("1.1.1.1", "9.9.9.9"),
    program=PROGRAM,
)
SIDE = HostSide("/run/zcplatform/config/acme/zeroclaw", "/var/lib/zcplatform/data/tenants/acme", "10.83.0.10")

slugs = st.from_regex(r"[a-z][a-z0-9]{2,10}", fullmatch=True).filter(is_slug)
addresses = st.ip_addresses(v=4).map(str)
folders = st.from_regex(r"(/[A-Za-z0-9_. -]{1,8}){1,4}", fullmatch=True).filter(lambda path: "/." not in path)


@st.composite
def specs(draw: st.DrawFn) -> tuple[Workload, HostSide]:
    slug, top = draw(slugs), draw(folders)
    workload = Workload(
        tenant=TenantRef(new_tenant_id(), slug),
        node_id=LOCAL,
        generation=draw(st.integers(0, 10**9)),
        epoch=draw(st.integers(0, 10**9)),
        image_id="sha256:" + draw(st.text("0123456789abcdef", min_size=64, max_size=64)),
        uid=draw(st.integers(1_000, 2**31 - 1)),
        port=draw(st.integers(1_024, 65_535)),
        subnet=draw(st.integers(0, 2**20)),
        memory_bytes=draw(st.integers(16 * 1024**2, 1024**4)),
        cpu_millis=draw(st.integers(10, 256_000)),
        pids=draw(st.integers(8, 32_768)),
        resolvers=tuple(draw(st.lists(addresses, min_size=1, max_size=3))),
        program=PROGRAM,
    )
    return workload, HostSide(f"{top}/{slug}/zeroclaw", f"{top}/{slug}", draw(addresses))


def first_body(workload: Workload, side: HostSide) -> dict[str, Any]:
    """As the release before made it: without what came later, marked with a hash of the whole."""
    body = create_body(NAMES, workload, side)
    for later in ("DnsSearch", "DnsOptions"):
        del body["HostConfig"][later]
    del body["Labels"][LABEL_PATHS]
    body["Labels"][LABEL_SPEC] = first_hash(NAMES, workload, side)
    return body


def bare_uid(body: dict[str, Any]) -> str:
    uid = body["User"].partition(":")[0]
    return f",uid={uid},gid={uid}"


def without_allowed(body: dict[str, Any]) -> dict[str, Any]:
    """The body with everything blanked that a specification may decide."""
    bare = copy.deepcopy(body)
    host = bare["HostConfig"]
    bare |= {"Image": "", "User": "", "Labels": dict.fromkeys(bare["Labels"], "")}
    host |= {"Memory": 0, "MemorySwap": 0, "NanoCpus": 0, "PidsLimit": 0, "NetworkMode": "", "Dns": []}
    host["Tmpfs"]["/tmp"] = host["Tmpfs"]["/tmp"].replace(bare_uid(body), "")
    host["PortBindings"]["42617/tcp"][0]["HostPort"] = ""
    for mount in host["Mounts"]:
        mount["Source"] = ""
    [endpoint] = bare["NetworkingConfig"]["EndpointsConfig"].values()
    endpoint["IPAMConfig"]["IPv4Address"] = ""
    bare["NetworkingConfig"]["EndpointsConfig"] = {"": endpoint}
    return bare


def test_the_body_is_the_golden_one_but_for_what_came_later() -> None:
    assert first_body(SPEC, SIDE) == GOLDEN


def test_names_are_resolved_as_they_are_whatever_the_machine_searches() -> None:
    """F8: an empty list would be the machine's own."""
    host = create_body(NAMES, SPEC, SIDE)["HostConfig"]
    assert (host["DnsSearch"], host["DnsOptions"]) == (["."], ["ndots:0"])


def test_a_container_of_the_release_before_is_recognised() -> None:
    labels = GOLDEN["Labels"]
    assert is_current(NAMES, SPEC, SIDE, labels)
    assert is_current(NAMES, replace(SPEC, generation=9), SIDE, labels)
    assert not is_current(NAMES, replace(SPEC, pids=129), SIDE, labels)
    assert not is_current(NAMES, SPEC, replace(SIDE, workspace_dir="/other/acme"), labels)


def test_a_container_in_other_directories_is_another() -> None:
    labels = create_body(NAMES, SPEC, SIDE)["Labels"]
    assert is_current(NAMES, SPEC, SIDE, labels)
    for changed in ({"config_dir": "/run/other/acme/zeroclaw"}, {"workspace_dir": "/other/acme"}, {"address": "10.83.0.18"}):
        assert not is_current(NAMES, SPEC, replace(SIDE, **changed), labels)


PINNED = environment(
    parse({"providers": {"main": {"family": "bedrock", "model": "m", "options": {"region": "eu-central-1"}}}}),
    Policy(excluded_tools=("shell", "mcp:docs.x"), daily_usd=0.5),
)


def test_what_pins_a_policy_is_exactly_what_a_container_may_be_given() -> None:
    body = first_body(dataclasses.replace(SPEC, environment=PINNED), SIDE)
    golden = copy.deepcopy(GOLDEN)
    golden["Env"] += sorted(f"{name}={value}" for name, value in PINNED.items())
    golden["Labels"][LABEL_SPEC] = body["Labels"][LABEL_SPEC]
    assert body == golden
    assert body["Labels"][LABEL_SPEC] != GOLDEN["Labels"][LABEL_SPEC]
    assert set(PINNED) == set(ENVIRONMENT)
    assert set(ENVIRONMENT) - {"AWS_REGION"} == OVERRIDDEN


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_variable_of_an_agent_has_its_own_form_only(name: str) -> None:
    for value in ("", PINNED[name] + "\n", PINNED[name] + "x y", "1;id", "enc2:00"):
        with pytest.raises(ValueError, match="is not a variable"):
            create_body(NAMES, dataclasses.replace(SPEC, environment={name: value}), SIDE)


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "ZEROCLAW_channels__telegram__main__bot_token", "ZEROCLAW_CONFIG_DIR", "A=B"])
def test_no_other_variable_is_given_to_an_agent(name: str) -> None:
    with pytest.raises(ValueError, match="is not a variable"):
        create_body(NAMES, dataclasses.replace(SPEC, environment={name: "true"}), SIDE)


@given(specs())
def test_any_accepted_specification_changes_only_its_own_fields(spec: tuple[Workload, HostSide]) -> None:
    assert without_allowed(first_body(*spec)) == without_allowed(GOLDEN)


@given(specs())
def test_those_fields_hold_what_the_specification_says(given: tuple[Workload, HostSide]) -> None:
    spec, side = given
    body = create_body(NAMES, spec, side)
    host = body["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == spec.memory_bytes
    assert body["User"] == f"{spec.uid}:{spec.uid}"
    assert body["Labels"][LABEL_TENANT] == spec.tenant.id
    assert host["PortBindings"] == {"42617/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(spec.port)}]}
    assert host["NetworkMode"] == f"zc-{spec.tenant.slug}"
    assert body["NetworkingConfig"] == {"EndpointsConfig": {f"zc-{spec.tenant.slug}": {"IPAMConfig": {"IPv4Address": side.address}}}}
    sources = [mount["Source"] for mount in host["Mounts"]]
    assert sources == [side.config_dir, *(f"{side.workspace_dir}/{name}" for name in ("data", "agents", "shared", "state"))]


def test_the_body_is_json() -> None:
    assert json.loads(json.dumps(create_body(NAMES, SPEC, SIDE))) == create_body(NAMES, SPEC, SIDE)


@pytest.mark.parametrize(
    "changed",
    [
        *({"tenant": replace(SPEC.tenant, slug=slug)} for slug in ("../x", "ACME", "panel", "acme\n", "a" * 100_000)),
        *(
            {"tenant": replace(SPEC.tenant, id=wrong)}
            for wrong in ("ten_x", "op_01jd9a0000abcdefghjkmn", "ten_01jd9a0000abcdefghjkmn\n", "ten_01jd9a0000abcdefghjkmn\0")
        ),
        {"image_id": "zeroclaw:latest"},
        {"image_id": "sha256:" + "a" * 63},
        {"image_id": "sha256:" + "A" * 64},
        {"image_id": "sha256:" + "a" * 64 + "\n"},
        {"uid": 0},
        {"uid": 999},
        {"uid": -1},
        {"uid": True},
        {"uid": "700001"},
        {"uid": 700_001.0},
        {"port": 80},
        {"port": 65_536},
        {"port": "20001:80"},
        {"memory_bytes": 0},
        {"memory_bytes": -1},
        {"memory_bytes": 2**60},
        {"cpu_millis": 0},
        {"pids": 0},
        {"pids": -1},
        {"generation": -1},
        {"epoch": -1},
        {"resolvers": ()},
        {"resolvers": ("1.1.1.1",) * 4},
        {"resolvers": ("dns.example",)},
        {"resolvers": ("::1",)},
        {"resolvers": ("1.1.1.1\n",)},
    ],
    ids=lambda changed: "-".join(f"{key}={str(value)[:30]!r}" for key, value in changed.items()),
)
def test_a_value_out_of_bounds_builds_nothing(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        create_body(NAMES, replace(SPEC, **changed), SIDE)


@pytest.mark.parametrize(
    "changed",
    [
        {"config_dir": "/"},
        {"config_dir": "/run/config/other/zeroclaw"},
        {"config_dir": "relative/acme/zeroclaw"},
        {"config_dir": "/run/../etc/acme/zeroclaw"},
        {"config_dir": "//host/acme/zeroclaw"},
        {"config_dir": "/run/x\n/acme/zeroclaw"},
        {"workspace_dir": "/var/run/docker.sock"},
        {"workspace_dir": "/data/acme/"},
        {"workspace_dir": "/data/acme\0"},
        {"address": "10.83.0.300"},
    ],
    ids=lambda changed: "-".join(f"{key}={str(value)[:30]!r}" for key, value in changed.items()),
)
def test_a_side_of_the_machine_out_of_bounds_builds_nothing(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        create_body(NAMES, SPEC, replace(SIDE, **changed))


def test_a_new_generation_alone_is_the_same_specification() -> None:
    body, later = create_body(NAMES, SPEC, SIDE), create_body(NAMES, replace(SPEC, generation=8), SIDE)
    assert body["Labels"][LABEL_SPEC] == later["Labels"][LABEL_SPEC]
    assert later["Labels"][LABEL_GENERATION] == "8"


@pytest.mark.parametrize(
    "changed",
    [
        {"epoch": 3},
        {"image_id": "sha256:" + "cd" * 32},
        {"uid": 700_002},
        {"port": 20_002},
        {"memory_bytes": 256 * 1024 * 1024},
        {"cpu_millis": 600},
        {"pids": 129},
        {"resolvers": ("1.1.1.1",)},
        {"subnet": 2},
        {"environment": {"ZEROCLAW_cost__enabled": "true"}},
        {"program": replace(PROGRAM, command=("daemon",))},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_every_other_change_is_another_specification(changed: dict[str, Any]) -> None:
    other = create_body(NAMES, replace(SPEC, **changed), SIDE)
    assert other["Labels"][LABEL_SPEC] != create_body(NAMES, SPEC, SIDE)["Labels"][LABEL_SPEC]


def test_the_hash_of_the_workload_knows_no_engine_and_no_machine() -> None:
    body = create_body(NAMES, SPEC, SIDE)
    assert body["Labels"][LABEL_SPEC] == SPEC.spec_hash == replace(SPEC, node_id=NodeId("other")).spec_hash
    assert bodies.body_hash(dict(reversed(body.items()))) == bodies.body_hash(body)


def test_nothing_secret_could_be_passed() -> None:
    """Environment, arguments and labels are constants, names and numbers."""
    body = create_body(NAMES, SPEC, SIDE)
    assert body["Env"] == GOLDEN["Env"]
    assert body["Cmd"] == GOLDEN["Cmd"]
    assert set(body["Labels"]) == {*GOLDEN["Labels"], LABEL_PATHS}


def test_what_was_worked_out_once_is_not_used_for_another_workload() -> None:
    """Every look compares every workload: its check and the hash of earlier releases are worked out once each."""
    hashes = {first_hash(NAMES, workload, SIDE) for workload in (SPEC, SPEC, replace(SPEC, port=SPEC.port + 1), replace(SPEC, epoch=7))}
    assert len(hashes) == 3
    assert first_hash(NAMES, SPEC, replace(SIDE, address="10.83.0.18")) not in hashes
    with pytest.raises(ValueError, match="port"):
        first_hash(NAMES, replace(SPEC, port=22), SIDE)
    assert replace(SPEC) == SPEC, "nothing that was worked out makes another workload of it"
