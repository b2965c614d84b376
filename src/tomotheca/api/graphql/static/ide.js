import { offers } from "./ide-complete.js";
import { EXAMPLES } from "./ide-examples.js";
import { Panel, Schema } from "./ide-schema.js";

const at = (id) => document.getElementById(id);
const query = at("query");
const variables = at("variables");
const KEPT = "graphql-history";
const MOST_KEPT = 20;
const PATIENCE = 1500;
let schema = null;
let leaving = false;
let chosen = 0;

// --- asking

async function send(body) {
  const answer = await fetch("/graphql", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const text = await answer.text();
  const told = JSON.parse(text);
  Object.defineProperty(told, "size", { value: text.length });
  return told;
}

async function run() {
  at("problems").replaceChildren();
  let given;
  try {
    given = JSON.parse(variables.value.trim() || "{}");
  } catch (error) {
    problem({ message: `Variables are not JSON: ${error.message}` });
    return;
  }
  remember();
  at("told").textContent = "Asking…";
  const started = performance.now();
  try {
    const answer = await send({ query: query.value, variables: given });
    at("told").textContent = `${Math.round(performance.now() - started)} ms, ${answer.size.toLocaleString("en")} bytes`;
    at("answer").textContent = JSON.stringify(answer, null, 2);
    (answer.errors || []).forEach(problem);
    if (answer.error) problem({ message: answer.error });
  } catch (error) {
    at("told").textContent = "";
    problem({ message: `The server did not answer: ${error.message}` });
  }
}

function problem(error) {
  const line = document.createElement("li");
  line.textContent = error.message;
  for (const place of error.locations || []) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `line ${place.line}`;
    button.addEventListener("click", () => go(place));
    line.append(" ", button);
  }
  at("problems").append(line);
}

function go(place) {
  const before = query.value.split("\n").slice(0, place.line - 1).join("\n").length + (place.line > 1 ? 1 : 0);
  query.focus();
  query.setSelectionRange(before + place.column - 1, before + place.column);
}

// --- what was asked before, and links

const past = () => {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) || [];
  } catch {
    return [];
  }
};

function remember() {
  const now = { query: query.value, variables: variables.value };
  const kept = [now, ...past().filter((p) => p.query !== now.query || p.variables !== now.variables)].slice(0, MOST_KEPT);
  try {
    localStorage.setItem(KEPT, JSON.stringify(kept));
  } catch {
    // A browser that keeps nothing still asks.
  }
  list(kept);
  history.replaceState(null, "", address(now));
}

function list(kept) {
  at("history").replaceChildren(new Option("Choose", ""), ...kept.map((p, i) => new Option(p.query.replace(/\s+/g, " ").slice(0, 80), i)));
}

function address({ query: text, variables: given }) {
  const place = new URL(location.href);
  place.search = "";
  place.hash = new URLSearchParams({ query: text, ...(given.trim() ? { variables: given } : {}) }).toString();
  return place;
}

function show(asked) {
  query.value = asked.query;
  variables.value = asked.variables || "{}";
}

function begin() {
  const hash = location.hash.slice(1);
  const linked = new URLSearchParams(hash);
  if (linked.has("query")) show({ query: linked.get("query"), variables: linked.get("variables") });
  else show(past()[0] || EXAMPLES[0]);
}

function choose(select, from) {
  select.addEventListener("change", () => {
    const found = from()[select.value];
    select.value = "";
    if (found) {
      show(found);
      query.focus();
    }
  });
}

async function copy(text, told) {
  await navigator.clipboard.writeText(text);
  at("told").textContent = told;
  setTimeout(() => { at("told").textContent = ""; }, PATIENCE);
}

// --- names that fit

function close() {
  at("offers").hidden = true;
  query.removeAttribute("aria-activedescendant");
}

function offer() {
  if (!schema) return;
  const { begun, names } = offers(schema, query.value.slice(0, query.selectionStart));
  const box = at("offers");
  box.replaceChildren(
    ...names.map(({ name, type }, index) => {
      const item = document.createElement("li");
      item.id = `offer-${index}`;
      item.setAttribute("role", "option");
      item.textContent = name;
      const about = document.createElement("span");
      about.textContent = type ? ` ${type}` : "";
      item.append(about);
      item.addEventListener("mousedown", (event) => {
        event.preventDefault();
        put(name, begun);
      });
      item.dataset.name = name;
      item.dataset.begun = begun;
      return item;
    }),
  );
  box.hidden = !names.length;
  chosen = 0;
  mark();
}

function mark() {
  [...at("offers").children].forEach((item, index) => item.setAttribute("aria-selected", String(index === chosen)));
  const item = at("offers").children[chosen];
  if (item) {
    item.scrollIntoView({ block: "nearest" });
    query.setAttribute("aria-activedescendant", item.id);
  }
}

function put(name, begun = "") {
  query.setRangeText(name, query.selectionStart - begun.length, query.selectionEnd, "end");
  close();
}

function offered(event) {
  const items = at("offers").children;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    chosen = (chosen + (event.key === "ArrowDown" ? 1 : items.length - 1)) % items.length;
    mark();
  } else if (event.key === "Enter" || event.key === "Tab") {
    put(items[chosen].dataset.name, items[chosen].dataset.begun);
  } else if (event.key === "Escape") {
    close();
  } else {
    return false;
  }
  event.preventDefault();
  return true;
}

function typed(event) {
  if (!at("offers").hidden && !event.ctrlKey && !event.metaKey && offered(event)) return;
  if (event.key === " " && event.ctrlKey) {
    event.preventDefault();
    offer();
  } else if (event.key === "Escape") {
    leaving = true;
  } else if (event.key === "Tab" && !event.shiftKey && !leaving) {
    event.preventDefault();
    query.setRangeText("  ", query.selectionStart, query.selectionEnd, "end");
  } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    const line = query.value.slice(0, query.selectionStart).split("\n").pop();
    const deeper = /[{([]\s*$/.test(line) ? "  " : "";
    query.setRangeText(`\n${line.match(/^\s*/)[0]}${deeper}`, query.selectionStart, query.selectionEnd, "end");
  }
}

// --- beginning

const theme = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
at("examples").append(...EXAMPLES.map((example, index) => new Option(example.name, index)));
choose(at("examples"), () => EXAMPLES);
choose(at("history"), past);
list(past());
begin();
window.addEventListener("hashchange", begin);
at("run").addEventListener("click", run);
at("share").addEventListener("click", () => copy(address({ query: query.value, variables: variables.value }).href, "Link copied"));
at("copy").addEventListener("click", () => copy(at("answer").textContent, "Answer copied"));
query.addEventListener("keydown", typed);
query.addEventListener("focus", () => { leaving = false; });
query.addEventListener("blur", close);
at("offers").addEventListener("mousedown", (event) => event.preventDefault());
query.addEventListener("input", () => { if (!at("offers").hidden) offer(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  }
});
schema = await Schema.ask(send);
new Panel(schema, at("type"), at("trail"), at("search"));
document.body.dataset.ready = "yes";
