"""What a project of one's own is made of besides its spec: no code of ours, so that an update changes nothing in it."""

import json
from collections.abc import Mapping
from pathlib import Path

from tasks.runtime.installation import CHECKOUT

SCHEMA = ".airgap/airgap.schema.json"

_SPEC = """\
# yaml-language-server: $schema={schema}
version: 1
bundle: {{name: {name}, version: 0.1.0}}
registry: {{prefix: registry.internal.example.com/{lower}}}  # where the images go, as the cluster names it: write yours

# What is transferred. Remove the # and write your own; `airgap images --add` finds the images of the charts.
# images:
#   - {{name: podinfo, source: "ghcr.io/stefanprodan/podinfo:6.7.1"}}
# charts:
#   - {{name: podinfo, source: "oci://ghcr.io/stefanprodan/charts/podinfo", version: 6.7.1}}
# files:
#   - {{name: runbook.md, source: docs/runbook.md}}

# What happens on the air-gapped side.
# install:
#   releases:
#     - {{name: podinfo, chart: podinfo, namespace: podinfo, values: [values/podinfo.yaml]}}
"""

_README = """\
# {name}: a bundle for networks without internet

| here | what it is |
|---|---|
| `airgap.yaml` | the spec: which images, charts and files are transferred, and what is installed |
| `airgap.lock` | what the tags meant when they were pinned; written by `airgap bundle`, updated by `airgap lock` |
| `values/` | Helm values of the releases; the install fills in `${{image.NAME.ref}}`, `${{site.NAME}}`, ... |
| `sites/` | the settings of each site, for `site=sites/NAME.yaml`; no secrets |
| `receipts/` | `receipt.json` of each site, brought back, for `airgap bundle since=receipts/NAME.json` |
| `.airgap/`, `dist/` | cache and bundles, not for git |

On the connected side:

    airgap bundle              # build dist/NAME-VERSION/
    airgap rehearse            # install it here, into a throwaway target without network

On the air-gapped side, beside the transferred bundle:

    python3 airgap.pyz install site=site.yaml

`airgap help` lists all commands. Where doit is installed together with airgap, `doit bundle` is the same.
"""

_SITE = """\
# The settings of one site: copy it to sites/NAME.yaml. The values files use them as ${site.NAME}.
# domain: apps.bank.example
"""

_DOIT = """\
# Plain `doit` here is the program airgap, where both are installed together.
[GLOBAL]
loader = airgap

[LOADER]
airgap = doit.cmd_base:DodoTaskLoader
"""

_DODO = '''\
"""For a doit without airgap, which reads this file: it says what is missing. airgap itself reads airgap.yaml only."""

from doit.exceptions import InvalidDodoFile

raise InvalidDodoFile("airgap is not installed for this doit; next: pip install airgap-doit, or call airgap itself")
'''


def spec_text(name: str) -> str:
    """An empty spec with examples in comments."""
    return _SPEC.format(schema=SCHEMA, name=json.dumps(name), lower=name.lower())


def project_files(name: str) -> Mapping[str, str]:
    """The files of a project besides its spec, by path; their contents do not change from version to version."""
    return {
        ".gitignore": ".airgap/\ndist/\n",
        "README.md": _README.format(name=name),
        "values/.gitkeep": "",
        "sites/example.yaml": _SITE,
        "receipts/.gitkeep": "",
        "doit.cfg": _DOIT,
        "dodo.py": _DODO,
    }


def schema_file() -> Path:
    """The JSON Schema of this program."""
    return CHECKOUT / "schema" / "airgap.schema.json"


def example() -> Path:
    """The example `hello`, which needs no network."""
    return CHECKOUT / "examples" / "hello"
