"""What a bundle and its report are called as files."""

from bundle.manifest import BundleManifest

REPORT = "report.html"
REPORT_DATA = "report.json"


def bundle_stem(manifest: BundleManifest) -> str:
    """The name of the bundle's directory, and of its archive without `.tar`; a delta has one of its own."""
    since = f"-since-{manifest.delta.base.version}" if manifest.delta else ""
    return f"{manifest.name}-{manifest.version}{since}"
