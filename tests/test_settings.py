"""The settings file: unknown keys and wrong types are refused by name; every key is documented."""

from pathlib import Path

import pytest

from zcplatform import settings
from zcplatform.errors import CannotRun
from zcplatform.settings.model import RENAMED

ROOT = Path(__file__).parents[1]


def _file(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "zcplatform.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert settings.load(_file(tmp_path, "")) == settings.Settings()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("colour = 'red'", "colour"),
        ("parallel = 'many'", "parallel"),
        ("parallel = 0", "parallel"),
        ("ports = '9-1'", "ports"),
        ("subnets = '10.0.0.0/30'", "subnets"),
        ("allowed_hosts = ['example.com:80']", "allowed_hosts"),
        ("resolvers = ['dns']", "resolvers"),
        ("instance = 'A b'", "instance"),
        ("tls = 'maybe'", "tls"),
        ("a = [", "TOML"),
        ("[model_prices.'echo']\ninput = 1\noutput = 1", "model_prices"),
        ("[model_prices.'custom/echo']\ninput = 1", "model_prices"),
        ("[model_prices.'custom/echo']\ninput = -1\noutput = 1", "model_prices"),
        ("[model_prices.'custom/echo']\ninput = inf\noutput = 1", "model_prices"),
        ("[model_prices.'custom/echo']\ninput = 1\noutput = 1\nprice = 1", "model_prices"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, line: str, named: str) -> None:
    with pytest.raises(CannotRun) as refused:
        settings.load(_file(tmp_path, line))
    assert named in refused.value.detail


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("domain = '192.0.2.7'", "`domain` must be a domain name, not the address '192.0.2.7'"),
        ("domain = '::1'", "`domain` must be a domain name in lower case"),
        ("domain = 'a..b'", "`domain` must be a domain name in lower case, for example agents.example.com, not 'a..b'"),
        ("domain = 'a.-b'", "`domain` must be a domain name"),
        ("domain = 'Example.com'", "`domain` must be a domain name in lower case"),
        ("domain = 'example.com.'", "`domain` must be a domain name"),
        ("domain = ''", "`domain` must be a domain name"),
        (f"domain = '{'a' * 64}.com'", "`domain` must be a domain name"),
        ("domain = 5", "`domain` must be text in quotes"),
        ("instance = 'A b'", "`instance` must be 1 to 12 lower-case letters"),
        ("parallel = 0", "`parallel` must be at least 1"),
        ("parallel = 65", "`parallel` must be at most 64"),
        ("parallel = 1.5", "`parallel` must be a whole number"),
        ("http_port = 65536", "`http_port` must be at most 65535"),
        ("health_period_s = inf", "`health_period_s` must be"),
        ("health_period_s = nan", "`health_period_s` must be"),
        ("allow_swap = 'perhaps'", "`allow_swap` must be true or false"),
        ("tls = 'maybe'", "`tls` must be one of on_demand, files, internal or off"),
        ("data_dir = 5", "`data_dir` must be a path in quotes"),
        ("data_dir = 'data'", "`data_dir` must be an absolute path"),
        ("ports = '80-90'", "`ports` must be within 1024-65535"),
        ("ports = '20000-99999999999999999999'", "`ports` must be FIRST-LAST"),
        ("ports = '٢٠٠٠٠-٢٩٩٩٩'", "`ports` must be FIRST-LAST"),
        ("uids = '0-100'", "`uids` must be within 1000-2000000000"),
        ("subnets = '10.83.0.0/4'", "`subnets` must be"),
        ("subnets = 'net'", "`subnets` must be an IPv4 network, for example 10.83.0.0/16"),
        ("resolvers = []", "`resolvers` must name one to 16 name servers"),
        (f"resolvers = {['1.1.1.1'] * 17}", "`resolvers` must name one to 16 name servers"),
        ("resolvers = ['1.1.1.1', 'dns']", "must be an IPv4 address"),
        ("resolvers = '1.1.1.1'", "`resolvers` must be a list"),
        ("allowed_hosts = ['10.0.0.5:٨٠']", "must be ADDRESS:PORT"),
        ("allowed_hosts = ['example.com:80']", "must be an IPv4 address"),
        ("[model_prices.'custom/echo']\ninput = 1\noutput = 1e9", "must be at most 1e+06"),
        ("[model_prices.'echo']\ninput = 1\noutput = 1", "must name each model as PROVIDER/MODEL"),
        ("[model_prices.'custom/echo']\ninput = 1", "output` is missing"),
        ("mail_host = 'a b'", "`mail_host` must be a host name or an address"),
        ("mail_host = 'mail.example.com'", "`mail_from` is missing"),
        ("mail_from = 'me'", "`mail_from` must be a mail address"),
        ("mail_username = ''", "`mail_username` must not be empty"),
        ("web_user = 'root'", "`web_user` must be the name of an unprivileged user"),
        ("edge_user = 'zcplatform-web'", "`web_user` and `edge_user` must be two different users"),
        ("http_port = 9180", "must be different ports"),
        ("tls = 'files'", "`tls_certificate` and `tls_key` are needed with tls = files"),
        ("tls = 'files'\ntls_key = '/k.pem'", "`tls_certificate` and `tls_key` are needed"),
        ("public_url = 'panel.example.com'", "`public_url` must be the panel's address"),
        ("public_url = 'https://panel.example.com/x'", "`public_url` must be the panel's address"),
        ("public_url = 'https://a:b@panel.example.com'", "`public_url` must be the panel's address"),
        ("public_url = 'https://panel.example.com:99999'", "`public_url` must be the panel's address"),
        ("public_url = 'https://192.0.2.7'", "`public_url` must be a domain name"),
        ("public_url = 'https://panel.example.com'", "`trusted_proxies` must name the TLS proxy in front of the edge"),
        ("tls = 'internal'\npublic_url = 'http://panel.example.com'", "`public_url` must begin with https://"),
        ("trusted_proxies = ['0.0.0.0/0']", "this is every address"),
        ("trusted_proxies = ['::/0']", "this is every address"),
        ("trusted_proxies = ['10.0.0.1/24']", "must be addresses or networks"),
        ("trusted_proxies = ['proxy.example.com']", "must be addresses or networks"),
        ("audit_anchor = 'anchors'", "must be an absolute path"),
        ("audit_anchor = '/var/lib/zcplatform/data/anchors'", "`audit_anchor` must be outside data_dir"),
    ],
)
def test_a_refusal_is_in_words(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(CannotRun) as refused:
        settings.load(_file(tmp_path, line))
    assert words in refused.value.detail
    for raw in ("Value error", "Input should", "^[", "regex", "pattern"):
        assert raw not in refused.value.detail


def test_every_number_has_bounds() -> None:
    """A number without them is believed whatever it is."""
    unbounded = []
    for model in (settings.Settings, settings.ModelPrice):
        for name, field in model.model_json_schema()["properties"].items():
            kinds = field.get("anyOf", [field])
            if any(kind.get("type") in ("integer", "number") and not {"minimum", "maximum"} <= set(kind) for kind in kinds):
                unbounded.append(name)
    assert unbounded == []


@pytest.mark.parametrize("old", sorted(RENAMED))
def test_old_names_keep_working_with_a_note(
    tmp_path: Path, old: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new = RENAMED[old]
    assert getattr(settings.load(_file(tmp_path, f"{old} = 7")), new) == 7
    assert f"`{old}` is now called `{new}`" in capsys.readouterr().err
    assert getattr(settings.load(_file(tmp_path, f"{old} = 7\n{new} = 8")), new) == 8
    monkeypatch.setenv(f"ZCPLATFORM_{old.upper()}", "9")
    assert getattr(settings.load(_file(tmp_path, f"{new} = 8")), new) == 9


def test_addresses_follow_the_public_url() -> None:
    plain = settings.Settings(domain="example.com", http_port=8080)
    assert (plain.panel_url, plain.tenant_url("acme")) == ("http://panel.example.com:8080", "http://acme.example.com:8080/")
    secure = settings.Settings(domain="example.com", tls="internal", https_port=8443)
    assert (secure.panel_url, secure.tenant_url("acme")) == ("https://panel.example.com:8443", "https://acme.example.com:8443/")
    behind = settings.Settings(domain="example.com", http_port=8080, public_url="https://panel.example.com/", trusted_proxies=["10.0.0.7"])
    assert (behind.panel_url, behind.tenant_url("acme")) == ("https://panel.example.com", "https://acme.example.com/")
    assert "https://panel.example.com" in behind.panel_origins
    named = settings.Settings(domain="example.com", tls="on_demand", public_url="https://agents.example.org:444")
    assert (named.panel_host, named.tenant_url("acme")) == ("agents.example.org", "https://acme.example.com:444/")


def test_prices_are_a_table_for_each_model(tmp_path: Path) -> None:
    found = settings.load(_file(tmp_path, '[model_prices."custom/some.model"]\ninput = 1\noutput = 2.5\n'))
    assert found.model_prices == {"custom/some.model": settings.ModelPrice(input=1, output=2.5)}


def test_a_file_that_others_can_change_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotRun) as refused:
        settings.load(_file(tmp_path, "", 0o666))
    assert refused.value.code == "settings.rights"


def test_a_missing_file_is_refused_when_it_was_named(tmp_path: Path) -> None:
    with pytest.raises(CannotRun):
        settings.load(tmp_path / "none.toml")


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZCPLATFORM_PARALLEL", "7")
    assert settings.load(_file(tmp_path, "parallel = 2")).parallel == 7


def test_lists_and_tables_in_the_environment_are_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZCPLATFORM_ALLOWED_HOSTS", '["10.0.0.5:11434"]')
    monkeypatch.setenv("ZCPLATFORM_DATA_DIR", "/elsewhere")
    found = settings.load(_file(tmp_path, ""))
    assert (found.allowed_hosts, found.data_dir) == (["10.0.0.5:11434"], Path("/elsewhere"))
    monkeypatch.setenv("ZCPLATFORM_ALLOWED_HOSTS", "10.0.0.5:11434")
    with pytest.raises(CannotRun, match="ZCPLATFORM_ALLOWED_HOSTS is not JSON"):
        settings.load(_file(tmp_path, ""))


def test_every_setting_is_documented_with_its_default() -> None:
    text = (ROOT / "docs" / "reference" / "settings.md").read_text()
    for name in settings.Settings.model_fields:
        assert f"| `{name}` |" in text, f"docs/reference/settings.md does not explain {name}"
    documented = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert documented == set(settings.Settings.model_fields)
