// The page asks its own flags for what it shows, and the shop's API for what the server decides. Nothing here reloads: a change of a flag
// arrives by the stream of the SDK; the shop's own stream says when its API answers differently, which the products depend on.
import { createFlags } from "/sdk/browser.js";

const $ = (id) => document.getElementById(id);
const money = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });
const price = (cents) => money.format(cents / 100);

const basket = new Map();
let products = [];
let found;
let me = await getJson("/api/me");

const BETA_GROUP = "early-adopters";
const flags = createFlags({ ...me.browser, app: "shop page", context: { key: me.visitor } });
// Every change that this page has applied, for those who look behind the shop.
const revisions = [];
flags.on("change", ({ revision }) => {
  // Who is in the beta is no part of the rules: an answer about that may come at a revision that the page already has.
  if (revisions.at(-1) !== revision) revisions.push(revision);
  $("revisions").textContent = revisions.slice(-20).join(" ");
});
await flags.ready();

async function getJson(path, options) {
  const response = await fetch(path, options);
  const body = await response.json();
  if (!response.ok) throw new Error(body.message);
  return body;
}

const post = (path, body = {}) =>
  getJson(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function drawFlags() {
  const newCheckout = flags.isOn("new-checkout");
  const inBeta = flags.isOn("beta-reviews");
  const searching = flags.isOn("search");
  $("search").hidden = !searching;
  if (!searching && found) {
    found = undefined;
    $("query").value = "";
    drawProducts();
  }
  $("notice").textContent = noticeFor(searching);
  const button = $("checkout");
  button.dataset.checkout = newCheckout ? "new" : "classic";
  button.textContent = newCheckout ? "Pay in one step" : "Check out";
  for (const key of ["new-checkout", "search", "beta-reviews"]) show(`flag-${key}`, flags.isOn(key));
  $("beta").dataset.joined = String(inBeta);
  $("beta-button").textContent = inBeta ? "Leave the beta" : "Join the beta";
  $("visitor").textContent = me.visitor.slice(0, 8);
  $("status-page").textContent = flags.status.state;
}

function noticeFor(searching) {
  if (!searching) return "Search is having a rest. Everything is still on the shelves below.";
  // The last known flags go on answering; only new ones do not arrive.
  return ["stale", "cached"].includes(flags.status.state)
    ? "New settings of this shop have to wait a moment. Everything else is as it was."
    : "";
}

function show(id, on) {
  $(id).textContent = on ? "on" : "off";
  $(id).dataset.on = String(on);
}

function drawProducts() {
  const shown = found ? found.flatMap((key) => products.filter((product) => product.key === key)) : products;
  const items = shown.map((product) =>
    element(
      "li",
      { class: "product", "data-key": product.key },
      element("div", { class: "picture", style: `--hue: ${(products.indexOf(product) * 47) % 360}`, "aria-hidden": "true" }),
      element("h2", {}, product.name),
      element("p", { class: "quiet" }, product.description),
      ...(product.reviews ?? []).map((review) =>
        element(
          "p",
          { class: "review" },
          element("span", { "aria-label": `${review.stars} of 5 stars` }, "★".repeat(review.stars)),
          ` ${review.text}`,
        ),
      ),
      element(
        "div",
        { class: "buy" },
        element("strong", {}, price(product.cents)),
        element("button", { type: "button", class: "second", "aria-label": `Add ${product.name}`, onclick: () => add(product) }, "Add"),
      ),
    ),
  );
  $("products").replaceChildren(...(items.length > 0 ? items : [element("li", { class: "quiet" }, "Nothing fits. Try another word.")]));
}

function add(product) {
  basket.set(product, Math.min((basket.get(product) ?? 0) + 1, 99));
  drawBasket();
}

function drawBasket() {
  $("empty").hidden = basket.size > 0;
  $("checkout").disabled = basket.size === 0;
  $("bill").replaceChildren();
  const lines = [...basket].map(([product, count]) =>
    element("li", {}, element("span", {}, `${count} × ${product.name}`), element("span", {}, price(product.cents * count))),
  );
  $("lines").replaceChildren(...lines);
}

async function checkOut() {
  const items = [...basket].map(([product, count]) => ({ key: product.key, count }));
  try {
    const bill = await post("/api/checkout", items);
    const rows =
      bill.checkout === "new"
        ? [
            ["Shipping", bill.shippingCents],
            ["Tax in it", bill.taxCents],
            ["Total", bill.totalCents],
          ]
        : [["Total with shipping", bill.totalCents]];
    const list = rows.map(([name, cents]) => element("li", {}, element("span", {}, name), element("span", {}, price(cents))));
    $("bill").replaceChildren(
      element("ul", { class: "lines bill", "data-checkout": bill.checkout }, ...list),
      element("p", {}, "Thank you! This shop only pretends."),
    );
  } catch (error) {
    $("bill").replaceChildren(element("p", {}, error.message));
  }
}

let asking = 0;
async function search() {
  const mine = ++asking;
  const query = $("query").value.trim();
  try {
    const answer = query === "" ? {} : await getJson(`/api/search?q=${encodeURIComponent(query)}`);
    if (mine !== asking) return; // a later letter was typed meanwhile
    found = answer.keys;
  } catch (error) {
    found = undefined;
    $("notice").textContent = error.message;
  }
  drawProducts();
}

async function joinOrLeave() {
  const button = $("beta-button");
  button.disabled = true;
  $("beta-problem").textContent = "";
  try {
    // The answer brings what it changes: the next read knows.
    await flags.earlyAccess[flags.isOn("beta-reviews") ? "leave" : "join"](BETA_GROUP);
    drawFlags();
  } catch (error) {
    console.warn(error.message);
    $("beta-problem").textContent = "The beta cannot be reached just now; nothing was changed. Please try again.";
  }
  button.disabled = false;
}

/** Asks the server again what it decides for this visitor. */
async function refresh() {
  [me, { products }] = await Promise.all([getJson("/api/me"), getJson("/api/products")]);
  drawFlags();
  drawProducts();
}

flags.on("change", drawFlags);
flags.on("status", drawFlags);
new EventSource("/api/events").addEventListener("change", () => refresh().catch(() => {})); // the next change asks again
$("query").addEventListener("input", search);
$("checkout").addEventListener("click", checkOut);
$("beta-button").addEventListener("click", joinOrLeave);

({ products } = await getJson("/api/products"));
drawFlags();
drawProducts();
drawBasket();
document.documentElement.dataset.ready = "true";
