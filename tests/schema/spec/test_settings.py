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
