/** The style of `/kill`: readable on a small phone at night, everything that is pressed at least 44 px high. */
export const style = `
:root { color-scheme: light dark; --back: #ffffff; --text: #16181d; --soft: #565d6b; --line: #c9ced8; --field: #ffffff;
  --danger: #b3141e; --on-danger: #ffffff; --act: #2b4acb; --on-act: #ffffff; --good: #14663a; --warn: #7a4b00; }
@media (prefers-color-scheme: dark) { :root { --back: #14161a; --text: #eef0f4; --soft: #aab1bf; --line: #464d5a; --field: #1d2026;
  --danger: #ff8a80; --on-danger: #2b0503; --act: #a9bbff; --on-act: #0b1437; --good: #7fd6a4; --warn: #f0c070; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 17px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: anywhere; }
main, footer { max-width: 40rem; margin: 0 auto; padding: 0 1rem; }
.band { padding: .6rem 1rem; text-align: center; font-weight: 700; letter-spacing: .08em; border-bottom: 1px solid var(--line); }
.band.production, .where.production { background: var(--danger); color: var(--on-danger); }
.where { padding: 0 .3em; border-radius: .2em; }
h1 { font-size: 1.35rem; line-height: 1.25; margin: 1.1rem 0; }
.key { font-family: ui-monospace, Menlo, Consolas, monospace; }
label { display: block; margin: .8rem 0; color: var(--soft); }
input { display: block; width: 100%; min-height: 44px; margin-top: .25rem; padding: .5rem .7rem; font: inherit; color: var(--text); background: var(--field); border: 1px solid var(--soft); border-radius: 8px; }
button, a.act { display: inline-flex; align-items: center; justify-content: center; min-height: 48px; min-width: 48px; padding: .5rem 1.1rem; font: inherit; font-weight: 600; text-align: center; text-decoration: none; color: var(--text); background: transparent; border: 2px solid var(--soft); border-radius: 8px; cursor: pointer; }
form > button { width: 100%; }
button.primary, button.restore { color: var(--on-act); background: var(--act); border-color: var(--act); }
button.kill { color: var(--on-danger); background: var(--danger); border-color: var(--danger); }
a.act.kill { color: var(--danger); border-color: var(--danger); }
a.act.restore { color: var(--act); border-color: var(--act); }
:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
ul.environments { display: flex; flex-wrap: wrap; gap: .5rem; list-style: none; margin: 0; padding: 0; }
ul.environments a { display: inline-flex; align-items: center; min-height: 44px; padding: 0 .9rem; color: var(--text); border: 1px solid var(--soft); border-radius: 8px; text-decoration: none; }
ul.environments a[aria-current] { font-weight: 700; border: 3px solid var(--act); }
ul.flags { list-style: none; margin: 1rem 0; padding: 0; border-top: 1px solid var(--line); }
ul.flags li { display: flex; gap: .8rem; align-items: center; justify-content: space-between; padding: .7rem 0; border-bottom: 1px solid var(--line); }
ul.flags li > a.act { flex: none; white-space: nowrap; }
.what { min-width: 0; }
.name { display: block; color: var(--soft); }
.state { display: inline-block; padding: 0 .45em; border: 1px solid currentColor; border-radius: .3em; font-size: .85em; font-weight: 700; white-space: nowrap; color: var(--soft); }
.state.on { color: var(--good); } .state.some, .state.inherits { color: var(--warn); } .state.killed { color: var(--danger); }
.failure { padding: .7rem; border: 2px solid var(--danger); border-radius: 8px; }
.receipt { font-size: 1.15rem; font-weight: 600; padding: .8rem; border: 2px solid var(--warn); border-radius: 8px; }
.receipt.complete { border-color: var(--good); }
.next { display: flex; flex-wrap: wrap; gap: .8rem; }
footer { display: flex; flex-wrap: wrap; gap: .8rem; align-items: center; justify-content: space-between; margin-top: 2rem; padding-bottom: 2rem; color: var(--soft); }
footer form { display: flex; flex-wrap: wrap; align-items: center; gap: .8rem; }
.quiet { min-height: 44px; width: auto; font-weight: 400; color: inherit; border-width: 1px; } a.quiet { display: inline-flex; align-items: center; }
`;
