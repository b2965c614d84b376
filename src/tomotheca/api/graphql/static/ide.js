"use strict";
const at = (id) => document.getElementById(id);

async function ask(body) {
  const answer = await fetch("/graphql", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return answer.json();
}

async function run() {
  let variables;
  try {
    variables = JSON.parse(at("variables").value || "{}");
  } catch (error) {
    at("answer").textContent = `Variables are not JSON: ${error.message}`;
    return;
  }
  const started = performance.now();
  try {
    at("answer").textContent = JSON.stringify(await ask({ query: at("query").value, variables }), null, 2);
  } catch (error) {
    at("answer").textContent = String(error);
  }
  at("time").textContent = `${Math.round(performance.now() - started)} ms`;
  const place = new URL(location.href);
  place.hash = encodeURIComponent(at("query").value);
  history.replaceState(null, "", place);
}

const named = (type) => (type.kind === "NON_NULL" ? `${named(type.ofType)}!` : type.kind === "LIST" ? `[${named(type.ofType)}]` : type.name);

function element(name, text, parent) {
  const made = document.createElement(name);
  made.textContent = text;
  parent.append(made);
  return made;
}

function show(types, word) {
  const found = at("types");
  found.replaceChildren();
  for (const type of types) {
    const fields = type.fields || type.inputFields || type.enumValues || [];
    const inside = fields.filter((f) => f.name.toLowerCase().includes(word));
    if (word && !type.name.toLowerCase().includes(word) && !inside.length) continue;
    const box = document.createElement("details");
    element("summary", type.name, box);
    if (type.description) element("div", type.description, box).className = "about";
    for (const field of word && inside.length ? inside : fields) {
      element("div", field.type ? `${field.name}: ${named(field.type)}` : field.name, box).title = field.description || "";
    }
    found.append(box);
  }
}

const REFERENCE = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
const SCHEMA = `{ __schema { types { name description kind
  fields { name description type { ${REFERENCE} } } inputFields { name description type { ${REFERENCE} } } enumValues { name description } } } }`;

at("run").addEventListener("click", run);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
});
if (location.hash.length > 1) at("query").value = decodeURIComponent(location.hash.slice(1));
ask({ query: SCHEMA }).then(({ data }) => {
  const types = data.__schema.types.filter((t) => !t.name.startsWith("__")).sort((a, b) => a.name.localeCompare(b.name));
  show(types, "");
  at("search").addEventListener("input", (event) => show(types, event.target.value.trim().toLowerCase()));
});
