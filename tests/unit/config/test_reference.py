"""The reference page is what the definitions say, and the definitions say what is read."""

import re
from pathlib import Path

import pytest

from barnabas.config import ConfigKey, UpdateMode, broker_keys, client_metrics_keys, group_keys, topic_keys
from barnabas.config.reference import reference
from barnabas.config.synonyms import TOPIC_SYNONYMS, group_synonym

ROOT = Path(__file__).resolve().parents[3]


def test_page_is_current() -> None:
    page = (ROOT / "docs" / "reference" / "configs.md").read_text()
    assert page == reference(), "run `make reference`"


def test_page_names_every_config() -> None:
    page = reference()
    for keys in (broker_keys(), topic_keys(), group_keys(), client_metrics_keys()):
        for name in keys:
            assert f"| `{name}`" in page


def group_bounds(name: str, synonym: str | None) -> list[str]:
    """Broker configs that stand behind a group's config."""
    kind, _, rest = name.partition(".")
    bounds = [f"group.{kind}.{which}.{rest.removeprefix('num.')}" for which in ("min", "max")]
    return [synonym, *bounds] if synonym is not None else []


def test_config_marked_effective_is_named_where_it_is_read() -> None:
    named = names_in_code()
    # A broker's default of a topic config is read through the topic config.
    through_topics = {broker: topic for topic, synonyms in TOPIC_SYNONYMS.items() for broker, _ in synonyms}
    # A broker's default of a group config, and its bounds, are read through the group config.
    through_groups = {
        broker: group for group in group_keys() for broker in group_bounds(group, group_synonym(group))
    }
    for name, key in broker_keys().items():
        if key.effective and not {through_topics.get(name), through_groups.get(name)} & named:
            assert name in named, name
    for keys in (topic_keys(), group_keys(), client_metrics_keys()):
        for name, key in keys.items():
            assert not key.effective or name in named, name


@pytest.mark.parametrize("keys", [topic_keys(), group_keys(), client_metrics_keys()])
def test_configs_of_other_resources_change_at_once(keys: dict[str, ConfigKey]) -> None:
    assert all(key.update_mode is UpdateMode.CLUSTER_WIDE for key in keys.values())


def names_in_code() -> set[str]:
    """Every quoted text in the sources that could be a config's name, outside the tables of definitions."""
    tables = {"config/synonyms.py", "config/cross_checks.py", "config/validate.py"}
    files = [*ROOT.glob("crates/*/src/**/*.rs"), *ROOT.glob("src/barnabas/**/*.py")]
    named: set[str] = set()
    for file in files:
        path = file.as_posix()
        if not path.endswith(tuple(tables)) and "/generated/" not in path and "/cli/" not in path:
            named.update(re.findall(r'"([a-z0-9]+(?:\.[a-z0-9.]+)?)"', file.read_text()))
    return named
