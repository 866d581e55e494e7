"""What the report's files are called, in the bundle and beside it."""

REPORT = "report.html"
REPORT_DATA = "report.json"
