"""The settings file: unknown keys and wrong types are refused by name; every key is documented."""

from pathlib import Path

import pytest

from zcplatform import settings
from zcplatform.errors import CannotRun

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
