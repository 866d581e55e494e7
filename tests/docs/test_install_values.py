"""What docs/install-values.md shows holds together."""

import re
from dataclasses import replace
from pathlib import Path

from bundle.secret import KnownSecrets, Secret
from schema.loading.load import load
from schema.loading.values import override_faults, read_all
from schema.site.image_names import ImageNames
from schema.site.lookup import Facts
from schema.site.settings import completed
from schema.site.site import Site
from schema.site.uses import gather, uses
from schema.spec.carried import carried_files
from schema.values.placeholders import placeholders
from schema.values.values import release_values, resolve
from tests.fixtures.made.installs import HEAD, WITH_CHART, manifest, write
from tests.fixtures.places import ROOT

DOCS = (ROOT / "docs" / "install-values.md").read_text(encoding="utf-8")
VALUES, SITE, SETTINGS, SECRETS, ACTIONS = re.findall(r"```yaml\n(.*?)```", DOCS, re.S)
RELEASES = "  releases: [{name: shop, chart: web, namespace: shop, needs: [enroll], values: [values/shop.yaml]}]\n"


def test_the_examples_install(tmp_path: Path) -> None:
    text = HEAD + SETTINGS + WITH_CHART + SECRETS + ACTIONS.removeprefix("install:\n") + RELEASES
    write(tmp_path, {"airgap.yaml": text, "values/shop.yaml": VALUES, "site.yaml": SITE, "enroll.py": ""})
    write(tmp_path, {"tls.crt": "c", "tls.key": "k"})
    spec = load(tmp_path / "airgap.yaml", env={})
    assert list(carried_files(spec)) == ["install/enroll.py", "install/values/shop.yaml"]
    files = read_all(spec)
    site = completed(Site.load(tmp_path / "site.yaml"), spec.settings)
    declared = {each.name: site.found(each.name) for each in spec.settings}
    assert declared == {"domain": "shop.plant-7.corp", "replicas": 3, "database.type": "mysql"}
    assert list(override_faults(spec, site.overrides)) == []
    env = gather(uses(spec, files.values()), site=site, env={}, directory=tmp_path, ask=lambda prompt: prompt)
    facts = Facts(
        images=ImageNames.of(manifest(api="reg.internal/demo/api:1"), prefix="reg.internal/demo", registry="reg.corp"),
        site=site,
        env=env,
        directory=tmp_path,
        known=KnownSecrets(),
        secrets={"database": Secret("pw"), "encryption-key": Secret("aa")},
        outputs={"enroll": {"id": "w1"}},
    )
    values = resolve(list(files.values()), facts, subject="release 'shop'")
    assert placeholders(values) == ()
    assert values.data["image"] == {"repository": "reg.corp/api", "tag": "1"}
    assert values.data["replicas"] == 3
    assert values.data["ingress"]["tolerations"] == [{"key": "dedicated", "operator": "Exists"}]
    assert values.data["database"] == {"url": "mysql://shop:pw@db.plant-7.corp/shop"}
    facts = replace(facts, env={**env, "SMTP_PASSWORD": "s"})
    overridden = release_values(spec.install.releases[0], files, facts, site.overrides).data
    assert overridden["resources"] == {"requests": {"memory": "800Mi"}}
    assert overridden["ingress"] == {**values.data["ingress"], "annotations": {"team": "plant-7"}}
    assert (overridden["sidecar"], overridden["smtp"]) == (None, {"password": "s"})
    assert values.data["script"] == "echo ${HOME}"
