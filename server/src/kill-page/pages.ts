import { html, raw } from "hono/html";
import type { Environment, Flag, FlagSummary, Project, Receipt } from "../api-types.ts";
import { style } from "./style.ts";

/** Every text goes through hono's `html`, which escapes it; `raw` is used for our own style sheet only. */
export type Html = ReturnType<typeof html>;

export interface Place {
  readonly project: Project;
  readonly environment: Environment;
}
export type Verb = "kill" | "restore";

export interface Frame {
  readonly title: string;
  readonly nonce: string;
  readonly place?: Place | undefined;
  /** Who is signed in, and the token that their forms carry. */
  readonly signedIn?: { readonly name: string; readonly csrf: string } | undefined;
  readonly refresh?: { readonly seconds: number; readonly url: string } | undefined;
}

export function page(frame: Frame, content: Html): Html {
  const { place, signedIn, refresh } = frame;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
${refresh ? html`<meta http-equiv="refresh" content="${refresh.seconds}; url=${refresh.url}">` : ""}
<title>${frame.title} - Signalbox</title>
<style nonce="${frame.nonce}">${raw(style)}</style>
</head>
<body>
${place ? band(place) : ""}
<main>
${content}
</main>
${
  signedIn
    ? html`<footer><form method="post" action="/kill/sign-out"><input type="hidden" name="csrf" value="${signedIn.csrf}">
<span>Signed in as ${signedIn.name}</span> <button class="quiet">Sign out</button></form> <a class="quiet" href="/">Admin UI</a></footer>`
    : ""
}
</body>
</html>`;
}

function band({ environment }: Place): Html {
  return html`<header class="band ${environment.production ? "production" : ""}">${environmentWord(environment)}</header>`;
}

function environmentWord({ key, production }: Environment): string {
  return production ? key.toUpperCase() : key;
}

export function signInPage(given: { name: string; next: string; failure?: string | undefined; setupNeeded: boolean }): Html {
  if (given.setupNeeded) {
    return html`<h1>Signalbox</h1><p>No account exists yet: open the set-up link that the start of the server printed.</p>`;
  }
  return html`<h1>Sign in to kill or restore a flag</h1>
${given.failure ? html`<p class="failure" role="alert">${given.failure}</p>` : ""}
<form method="post" action="/kill/sign-in">
<input type="hidden" name="next" value="${given.next}">
<label>Name <input name="name" value="${given.name}" autocomplete="username" autocapitalize="none" maxlength="100" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" maxlength="128" required></label>
<button class="primary">Sign in</button>
</form>`;
}

export interface ListContent {
  readonly place: Place;
  readonly projects: readonly Project[];
  readonly search: string;
  readonly flags: readonly FlagSummary[];
  /** How many more fit the search than are shown. */
  readonly more: number;
}

export function listPage({ place, projects, search, flags, more }: ListContent): Html {
  const places = projects.flatMap((project) => project.environments.map((environment) => ({ project, environment })));
  return html`<h1>Kill or restore a flag</h1>
<nav aria-label="Environment"><ul class="environments">${places.map((each) => {
    const name = projects.length > 1 ? `${each.project.name}: ${environmentWord(each.environment)}` : environmentWord(each.environment);
    const isHere = each.project.key === place.project.key && each.environment.key === place.environment.key;
    return html`<li><a href="${address("/kill", each, search ? { search } : {})}" ${isHere ? raw('aria-current="page"') : ""}>${name}</a></li>`;
  })}</ul></nav>
<form method="get" action="/kill" role="search">
<input type="hidden" name="project" value="${place.project.key}"><input type="hidden" name="environment" value="${place.environment.key}">
<label>Find a flag <input type="search" name="search" value="${search}" maxlength="100" autocapitalize="none"></label>
<button>Find</button>
</form>
${lacking(place)}
<ul class="flags">${flags.map((flag) => row(place, flag))}</ul>
${flags.length === 0 ? html`<p>${search ? `No flag fits "${search}".` : "There is no flag here yet."}</p>` : ""}
${more > 0 ? html`<p>${more} more: type a part of the key to find them.</p>` : ""}`;
}

/** Why buttons are missing. */
function lacking({ environment }: Place): Html | "" {
  const verbs = (["kill", "restore"] as const).filter((verb) => !environment.may.includes(verb));
  if (verbs.length === 0) return "";
  return html`<p role="note">You may not ${verbs.join(" or ")} in ${environmentWord(environment)}: an admin can give you a role that may.</p>`;
}

function row(place: Place, flag: FlagSummary): Html {
  const verb: Verb = flag.state.word === "KILLED" ? "restore" : "kill";
  return html`<li>
<div class="what"><strong class="key">${flag.key}</strong> <span class="state ${flag.state.word.toLowerCase()}">${flag.state.text}</span>
${flag.name && flag.name !== flag.key ? html`<span class="name">${flag.name}</span>` : ""}</div>
${
  place.environment.may.includes(verb)
    ? html`<a class="act ${verb}" href="${address("/kill/confirm", place, { flag: flag.key, do: verb })}" aria-label="${capital(verb)} ${flag.key}">${capital(verb)}</a>`
    : ""
}
</li>`;
}

export function confirmPage(given: { place: Place; flag: Flag; verb: Verb; csrf: string }): Html {
  const { place, flag, verb, csrf } = given;
  const back = address("/kill", place, {});
  const title = html`<h1>${capital(verb)} <span class="key">${flag.key}</span> in <span class="where ${place.environment.production ? "production" : ""}">${environmentWord(place.environment)}</span>?</h1>`;
  if (!place.environment.may.includes(verb))
    return html`${title}${lacking(place)}<p><a class="act" href="${back}">Back to the list</a></p>`;
  const isKilled = flag.state.word === "KILLED";
  if (isKilled === (verb === "kill")) {
    const already = isKilled ? `It is killed already${flag.killed ? `, by ${flag.killed.by}` : ""}.` : "It is not killed.";
    return html`${title}<p>${already}</p><p><a class="act" href="${back}">Back to the list</a></p>`;
  }
  return html`${title}
<p>Now: <span class="state ${flag.state.word.toLowerCase()}">${flag.state.text}</span> ${flag.sentence}</p>
<p>${
    verb === "kill"
      ? html`Effect: everybody gets <strong>${flag.configuration.off}</strong>, at once, in every connected program. Rules and percentages stay as they are; Restore lifts the kill.`
      : html`Effect: the kill is lifted and the configuration decides again (mode: ${MODE[flag.configuration.mode]}).${
          flag.killed?.reason ? html` It was killed by ${flag.killed.by}: “${flag.killed.reason}”.` : ""
        }`
  }</p>
<form method="post" action="/kill/do">
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="project" value="${place.project.key}">
<input type="hidden" name="environment" value="${place.environment.key}"><input type="hidden" name="flag" value="${flag.key}">
<input type="hidden" name="do" value="${verb}">
<label>Reason (optional) <input name="reason" maxlength="500" autocomplete="off"></label>
<button class="${verb}">${capital(verb)} ${flag.key} in ${environmentWord(place.environment)}</button>
</form>
<p><a class="act" href="${back}">Cancel</a></p>`;
}

const MODE = { off: "Nobody", targeted: "Some", on: "Everybody", inherit: "As parent" } as const;

export interface ReceiptContent {
  readonly place: Place;
  readonly flag: string;
  readonly verb: Verb;
  readonly changed: boolean;
  readonly revision: number;
  readonly receipt: Receipt | undefined;
  readonly waiting: boolean;
}

export function receiptPage({ place, flag, verb, changed, revision, receipt, waiting }: ReceiptContent): Html {
  const past = verb === "kill" ? "killed" : "restored";
  const where = `in ${environmentWord(place.environment)}`;
  const opposite: Verb = verb === "kill" ? "restore" : "kill";
  return html`<h1>${changed ? html`<span class="key">${flag}</span> is ${past} ${where}` : html`<span class="key">${flag}</span> was ${past} ${where} already`}</h1>
${changed && receipt ? html`<p>Stored in ${receipt.storedMs} ms as revision ${revision}.</p>` : ""}
${
  receipt
    ? html`<p class="receipt ${receipt.complete ? "complete" : ""}" role="status">${receipt.sentence}</p>
${receipt.acknowledged >= 20 ? html`<p>Half within ${receipt.p50Ms} ms, 95 % within ${receipt.p95Ms} ms, 99 % within ${receipt.p99Ms} ms.</p>` : ""}
${
  receipt.missing.length > 0
    ? html`<ul>${receipt.missing.map((each) => html`<li><strong>${each.app}</strong>: ${each.why} <small>${each.host ? `${each.instance} on ${each.host}` : each.instance}</small></li>`)}</ul>`
    : ""
}`
    : changed
      ? html`<p>It is stored; who has applied it is not known any more.</p>`
      : ""
}
${waiting ? html`<p>Waiting for the rest; this page looks again by itself.</p>` : ""}
<p class="next">${
    place.environment.may.includes(opposite)
      ? html`<a class="act ${opposite}" href="${address("/kill/confirm", place, { flag, do: opposite })}">${capital(opposite)} ${flag}</a>`
      : ""
  }
<a class="act" href="${address("/kill", place, {})}">Back to the list</a></p>`;
}

export function failurePage(sentence: string): Html {
  return html`<h1>This did not work</h1><p class="failure" role="alert">${sentence}</p><p><a class="act" href="/kill">Back to the list</a></p>`;
}

export function address(path: string, { project, environment }: Place, more: Readonly<Record<string, string>>): string {
  return `${path}?${new URLSearchParams({ project: project.key, environment: environment.key, ...more })}`;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
