import pytest

from trainables.errors import ConfigError
from trainables.interfaces import Method, Part, View, registry
from trainables.methods.cs_kd import CsKd


class Own(CsKd):
    """A user-defined method."""


@pytest.fixture
def module_folder(tmp_path, monkeypatch):
    """Folder on the module search path, for modules with distinct names."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_parts_are_found_on_disk():
    assert {"cross_entropy", "cs_kd", "label_smoothing"} <= set(registry.available("methods"))
    assert {"preact_resnet10", "preact_resnet18"} <= set(registry.available("models"))
    assert {"digits", "cifar100", "image_folder"} <= set(registry.available("datasets"))


@pytest.mark.parametrize("package", registry.PACKAGES)
def test_every_name_is_the_name_of_its_part(package):
    for name in registry.available(package):
        part = registry.load(package, name)
        assert issubclass(part, Part)
        assert part.part_name() == name


def test_a_misspelt_name_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"no method is called 'cskd'; did you mean 'cs_kd'\?"):
        registry.load("methods", "cskd")


def test_an_unknown_name_is_refused_with_all_names():
    with pytest.raises(ConfigError, match=r"no dataset is called 'zzzz'; there are: .*cifar100, .*digits"):
        registry.load("datasets", "zzzz")


@pytest.mark.parametrize("name", ["", "..", "cs_kd.CsKd", "__init__"])
def test_names_that_are_not_files_are_refused(name):
    with pytest.raises(ConfigError):
        registry.load("methods", name)


def test_a_user_defined_part_is_loaded_by_its_path(module_folder):
    (module_folder / "own_parts_of_registry_test.py").write_text(
        "from trainables.methods.cs_kd import CsKd\nclass Mine(CsKd):\n    'Mine.'\n    mine: float = 2.0\n"
    )
    part = registry.load("methods", "own_parts_of_registry_test:Mine")
    assert issubclass(part, Method)
    assert part.part_name() == "own_parts_of_registry_test:Mine"
    assert part().views() == (View("anchor"), View("partner", "partner"))


@pytest.mark.parametrize("path", ["no_such_module:Part", "json:NoSuchClass", ":Part", "json:"])
def test_a_user_defined_part_that_cannot_be_imported_is_refused(path):
    with pytest.raises(ConfigError, match=f"method '{path}' cannot be imported"):
        registry.load("methods", path)


def test_a_missing_module_is_reported_with_pythonpath():
    with pytest.raises(ConfigError, match="there is no module 'no_such_module'; add its folder to PYTHONPATH"):
        registry.load("methods", "no_such_module.below:Part")


def test_a_user_defined_class_that_is_not_a_part_is_refused():
    with pytest.raises(ConfigError, match="'json:JSONDecoder' is not a part"):
        registry.load("methods", "json:JSONDecoder")


def test_a_user_module_with_an_error_is_refused(module_folder):
    (module_folder / "broken_part_of_registry_test.py").write_text("class Part(\n")
    with pytest.raises(ConfigError, match="cannot be imported"):
        registry.load("methods", "broken_part_of_registry_test:Part")
    (module_folder / "unfinished_part_of_registry_test.py").write_text("\nclass Part(undefined_name): ...\n")
    with pytest.raises(
        ConfigError, match=r"imported: \S+/unfinished_part_of_registry_test.py:2: name 'undefined_name'"
    ):
        registry.load("methods", "unfinished_part_of_registry_test:Part")
