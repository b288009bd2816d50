"""Finding plugins: each by itself, with its errors kept and its names resolved."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from harness.errors import HarnessError, UnknownName
from harness.registry import NotInstalled, Registry, load_from

BUILTIN = EntryPoint("builtin", "harness.builtin", "harness")


def plugin(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> EntryPoint:
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop(name, None)
    return EntryPoint(name, name, "harness")


def test_built_ins_register_through_the_hooks(registry: Registry) -> None:
    assert {"cpu", "cuda", "processes"} <= set(registry.names("device"))
    assert "serial" in registry.names("parallelizer")
    assert {"wall_time", "time_to_target", "bytes_sent"} <= set(registry.names("metric"))


def test_a_plugin_that_fails_to_import_is_listed_and_costs_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = plugin(tmp_path, "broken_plugin", "raise RuntimeError('no luck')", monkeypatch)
    loaded = load_from([broken, BUILTIN])
    errors = {p.name: p.error for p in loaded.plugins}
    assert errors == {"broken_plugin": "RuntimeError: no luck", "builtin": ""}
    assert "cpu" in loaded.names("device")


def test_strict_mode_raises_what_the_plugin_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = plugin(tmp_path, "strictly_broken", "raise RuntimeError('no luck')", monkeypatch)
    monkeypatch.setenv("HARNESS_STRICT_PLUGINS", "1")
    with pytest.raises(RuntimeError, match="no luck"):
        load_from([broken])


def test_a_misspelt_hook_is_named_with_the_near_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from harness import hookimpl\n@hookimpl\ndef harness_workload():\n    return []\n"
    loaded = load_from([plugin(tmp_path, "misspelt", text, monkeypatch)])
    assert "harness_workload" in loaded.plugins[0].error
    assert "harness_workloads" in loaded.plugins[0].error


def test_a_hook_that_returns_something_else_is_an_error_of_that_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "from harness import hookimpl\n@hookimpl\ndef harness_metrics():\n    return [int]\n"
    loaded = load_from([plugin(tmp_path, "returns_int", text, monkeypatch)])
    assert "no Metric subclass" in loaded.plugins[0].error


def test_near_names_are_suggested(registry: Registry) -> None:
    with pytest.raises(UnknownName, match="did you mean 'serial'"):
        registry.component("parallelizer", "seriel")


def test_a_name_that_two_plugins_offer_is_ambiguous_and_both_are_named(unruly: Path) -> None:
    points = [EntryPoint("one", "unruly", "harness"), EntryPoint("two", "unruly_twin", "harness")]
    sys.modules.pop("unruly_twin", None)
    (twin := unruly / "unruly.py")
    import importlib.util

    spec = importlib.util.spec_from_file_location("unruly_twin", twin)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["unruly_twin"] = module
    spec.loader.exec_module(module)
    loaded = load_from(points)
    with pytest.raises(HarnessError, match="ambiguous: use 'unruly:counting' and 'unruly_twin:counting'"):
        loaded.component("workload", "counting")
    assert loaded.component("workload", "unruly:counting").name == "counting"


def test_a_qualified_name_of_an_absent_distribution_is_not_installed(registry: Registry) -> None:
    with pytest.raises(NotInstalled, match="pip install harness-nowhere"):
        registry.component("parallelizer", "harness-nowhere:best")


def test_a_wrong_parameter_is_one_line_with_near_names(registry: Registry) -> None:
    with pytest.raises(HarnessError, match="unknown key 'up_to'; did you mean 'upto'") as caught:
        registry.build("workload", "counting", {"up_to": 3}, where="a.toml: matrix[0].workload")
    assert str(caught.value).startswith("a.toml: matrix[0].workload: ")
    assert "\n" not in str(caught.value)


def test_an_observer_that_raises_costs_nobody_else_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = "from harness import hookimpl\n@hookimpl\ndef harness_environment():\n    "
    bad = plugin(tmp_path, "bad_observer", head + "raise RuntimeError('no luck')\n", monkeypatch)
    good = plugin(tmp_path, "good_observer", head + "return {'lab': '7'}\n", monkeypatch)
    with pytest.warns(RuntimeWarning, match="harness_environment of plugin 'bad_observer': RuntimeError: no luck"):
        assert load_from([bad, good]).observe("harness_environment") == [{"lab": "7"}]
