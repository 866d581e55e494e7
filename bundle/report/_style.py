"""The report's style sheet: light and dark as the reader's system asks, and paper."""

# Text on its ground, and text on the picture's boxes, keep a contrast of at least 4.5:1 (WCAG 2.2, 1.4.3); borders of
# the picture and marks of focus 3:1 (1.4.11). tests/bundle/report/test_style.py computes it.
LIGHT = {
    "ground": "#ffffff",
    "panel": "#f3f5f8",
    "text": "#16202b",
    "quiet": "#4a5765",
    "line": "#c5ccd5",
    "link": "#0a4f9c",
    "good": "#13652f",
    "open": "#7a4d00",
    "bad": "#a3131c",
    "own": "#2b639f",
    "shared": "#8a4b08",
    "on-own": "#ffffff",
    "on-shared": "#ffffff",
}
DARK = {
    "ground": "#12171d",
    "panel": "#1c242d",
    "text": "#e7ecf1",
    "quiet": "#abb7c4",
    "line": "#3c4854",
    "link": "#8fc1ff",
    "good": "#7fd69a",
    "open": "#f0bd66",
    "bad": "#ff9d98",
    "own": "#8dbdf0",
    "shared": "#e8b06c",
    "on-own": "#0d1a28",
    "on-shared": "#231503",
}

_SHEET = """
:root { color-scheme: light dark; %(light)s }
@media (prefers-color-scheme: dark) { :root { %(dark)s } }
@media print { :root { color-scheme: light; %(light)s } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--ground); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
header, main, nav, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 1.75rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .25rem; }
p { margin: .5rem 0; max-width: 60rem; }
a { color: var(--link); }
a:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100vw; top: 0; padding: .5rem 1rem; background: var(--ground); }
.skip:focus { left: 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; padding: 0; margin: 1rem 0 0; }
.quiet, caption, figcaption { color: var(--quiet); }
code, pre { font: .8125em/1.6 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
code { overflow-wrap: anywhere; }
pre code { font-size: inherit; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0;
  padding: .6rem .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
dl.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .6rem;
  margin: 1.25rem 0 0; }
dl.facts > div { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .5rem .8rem; }
dl.facts dt, dl.item dt { color: var(--quiet); }
dl.facts dd { margin: 0; font-size: 1.15rem; font-weight: 600; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%%; margin: .75rem 0; }
caption { text-align: start; padding-bottom: .35rem; }
th, td { text-align: start; vertical-align: top; padding: .45rem .75rem .45rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; unicode-bidi: isolate; }
thead th { border-bottom-width: 2px; white-space: nowrap; }
th { overflow-wrap: break-word; }
tbody th { font-weight: 600; min-width: 9rem; width: 22%%; }
th small, td small { display: block; font-weight: 400; color: var(--quiet); }
.number { width: 1%%; text-align: end; padding-inline-end: 1.25rem; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
dl.item { margin: 0; display: grid; grid-template-columns: max-content minmax(12rem, 1fr); gap: 0 .75rem; }
dl.item dd { margin: 0; overflow-wrap: anywhere; }
.state { display: inline-block; border: 2px solid; border-radius: 6px; padding: 0 .5rem; font-weight: 700;
  white-space: nowrap; }
.good { color: var(--good); } .open { color: var(--open); } .bad { color: var(--bad); }
td ul { margin: .25rem 0 0; padding-inline-start: 1.2rem; }
figure { margin: 1rem 0; }
figure > svg, svg.bar { display: block; width: 100%%; height: auto; }
svg text { font: 13px system-ui, sans-serif; }
svg.own rect { fill: var(--own); } svg.shared rect { fill: var(--shared); }
svg.own text { fill: var(--on-own); } svg.shared text { fill: var(--on-shared); }
svg rect { stroke: var(--ground); stroke-width: 1.5; }
.key { display: inline-block; width: .85em; height: .85em; margin-inline-end: .4em; vertical-align: -.05em; }
.key + .key { margin-inline-start: 1.25em; }
.key.own { background: var(--own); } .key.shared { background: var(--shared); }
svg.bar { height: .9rem; min-width: 6rem; margin-top: .3rem; }
td.bar { width: 38%%; }
td.word { white-space: nowrap; }
footer { color: var(--quiet); padding-top: 2rem; padding-bottom: 3rem; }
@media (max-width: 40rem) {
  tbody th { min-width: 6rem; }
  dl.item { grid-template-columns: minmax(11rem, 1fr); }
  dl.item dt { margin-top: .25rem; }
}
@media print {
  html { font-size: 9.5pt; }
  header, main, nav, footer { max-width: none; padding: 0; }
  .skip, nav { display: none; }
  h2, h3, caption { break-after: avoid; }
  tr, pre, figure, dl.facts > div { break-inside: avoid; }
  thead { display: table-header-group; }
  .wide { overflow: visible; }
  .key { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  @page { margin: 14mm; }
}
"""


def style_sheet() -> str:
    """The sheet with its colours."""
    return _SHEET % {"light": _variables(LIGHT), "dark": _variables(DARK)}


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())
