"""What the files that tell of a bundle are called."""

MANIFEST = "manifest.json"
MANIFEST_TEXT = "manifest.txt"
REPORT = "report.html"
REPORT_DATA = "report.json"
