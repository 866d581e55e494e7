"""Settings travel in the resolved spec."""

import pytest

from schema.spec.settings import SettingSpec


@pytest.mark.parametrize(
    "setting",
    [
        SettingSpec(name="a.b"),
        SettingSpec(name="n", type="integer", description="d", default=0, example=5, choices=(0, 5)),
    ],
)
def test_to_data_and_back(setting: SettingSpec) -> None:
    assert SettingSpec.from_dict(setting.name, setting.to_dict()) == setting


def test_a_list_to_data_and_back() -> None:
    setting = SettingSpec(name="l", type="array", items=(SettingSpec(name="name"), SettingSpec(name="a.b", default=1)))
    assert SettingSpec.from_dict("l", setting.to_dict()) == setting
    assert "items" not in SettingSpec(name="a").to_dict(), "as bundles had it that knew of none"
