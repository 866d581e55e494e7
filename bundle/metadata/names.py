"""What the files that tell of a bundle are called."""

MANIFEST = "manifest.json"
MANIFEST_TEXT = "manifest.txt"
REPORT = "report.html"
REPORT_DATA = "report.json"
ZIPAPP = "airgap.pyz"
SITE_EXAMPLE = "site.example.yaml"
SITE_SCHEMA = "site.schema.json"
INSTALL = "install"
RESOLVED_SPEC = "airgap.json"
SPEC_PLACE = f"{INSTALL}/airgap.yaml"  # where the paths of the resolved spec begin; the file itself is not carried
