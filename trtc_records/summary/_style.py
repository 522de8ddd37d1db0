"""How a summary's page looks."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """\
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #16202c; --quiet: #5a6675; --line: #dfe3e8; --track: #eceff3;
  --bar: #1f6fd0; --most: #0b4a9c;
  --shade1: #d3e4f8; --shade2: #a3c7ef; --shade3: #68a2e2; --shade4: #2f78cf; --shade5: #0b4a9c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10151b; --card: #18202a; --ink: #e8edf3; --quiet: #9aa7b6; --line: #2a3542; --track: #232d39;
    --bar: #4c97ee; --most: #9cc8ff;
    --shade1: #1c3550; --shade2: #245186; --shade3: #2f72bd; --shade4: #5a9fe8; --shade5: #a9d0ff;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.25rem 1rem 2rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0 0 .75rem; }
p { margin: .25rem 0 1rem; }
.quiet { color: var(--quiet); font-size: .85rem; }
section, .tile { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; }
section { margin-bottom: 1rem; min-width: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; }
.tiles { margin-bottom: 1rem; }
.tile { display: flex; flex-direction: column; }
.tile b { font-size: 1.45rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 0 1rem; }
.bars { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
.bars th { font-weight: normal; text-align: left; overflow-wrap: anywhere; max-width: 11rem; }
.bars th { padding: .2rem .6rem .2rem 0; }
.bars td { text-align: right; white-space: nowrap; padding: .2rem 0 .2rem .6rem; }
.bars td:last-child { color: var(--quiet); font-size: .85rem; }
.bars td.track { width: 45%; padding-left: 0; }
.bar { background: var(--bar); height: 1rem; border-radius: 0 .2rem .2rem 0; }
.bar.some { min-width: 2px; }
.track { background: linear-gradient(var(--track), var(--track)) center / 100% 1rem no-repeat; }
.columns { display: grid; grid-template-columns: repeat(24, minmax(0, 1fr)); gap: 2px; }
.columns { height: 11rem; padding-top: 1.4rem; }
.column { position: relative; display: flex; flex-direction: column; justify-content: flex-end; align-items: center; }
.column div { width: 100%; background: var(--bar); border-radius: .15rem .15rem 0 0; min-height: 1px; }
.column.most div { background: var(--most); }
.column i { font: 600 .8rem/1.4 system-ui, sans-serif; white-space: nowrap; margin-top: -1.4rem; }
.axis { display: grid; grid-template-columns: repeat(8, 1fr); border-top: 1px solid var(--line); }
.axis span, .heat span { color: var(--quiet); font-size: .75rem; }
.heat { display: grid; grid-template-columns: 2.4rem repeat(24, minmax(0, 1fr)); gap: 2px; align-items: center; }
.heat div { aspect-ratio: 1; border-radius: .15rem; }
.heat-axis { border: 0; padding-left: 2.5rem; margin-bottom: .75rem; }
.legend { display: flex; align-items: center; gap: 3px; margin: 0; }
.legend div { width: .9rem; height: .9rem; border-radius: .15rem; }
.legend span { margin: 0 .3rem; }
.shade0 { background: var(--track); } .shade1 { background: var(--shade1); } .shade2 { background: var(--shade2); }
.shade3 { background: var(--shade3); } .shade4 { background: var(--shade4); } .shade5 { background: var(--shade5); }
@media (max-width: 32rem) {
  .bars tr { display: grid; grid-template-columns: 1fr 5rem 3.6rem; align-items: center; padding: .3rem 0; }
  .bars th { grid-column: 1 / -1; max-width: none; padding: 0; }
  .bars td.track { width: auto; }
  .heat { grid-template-columns: 2rem repeat(24, minmax(0, 1fr)); gap: 1px; }
  .heat div { aspect-ratio: .55; }
  .heat-axis { padding-left: 2rem; }
}
@media print { body { background: none; } section { break-inside: avoid; } }
"""
