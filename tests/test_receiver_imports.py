"""What the far side imports runs inside the zipapp: nothing but Python, PyYAML's Python half, and ours."""

import subprocess
import sys

import pytest

from tests.fixtures.places import ROOT

MODULES = [
    "site.actions",
    "spec.carried",
    "values.chart",
    "site.lookup",
    "values.flat",
    "site.image_names",
    "values.placeholders",
    "values.rendered",
    "site.secrets",
    "site.site",
    "spec.spec",
    "values.unknown_keys",
    "site.uses",
    "values.values",
    "loading.values",
]


@pytest.mark.parametrize("name", MODULES)
def test_no_other_package_is_imported(name: str) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.modules['yaml._yaml'] = None; before = set(sys.modules); "
        f"import schema.{name}; own = {{*sys.stdlib_module_names, 'bundle', 'schema', 'yaml'}}; "
        "print(*{module.partition('.')[0] for module in set(sys.modules) - before} - own)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
