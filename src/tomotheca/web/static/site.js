// Pages work without this file. It saves round trips: overlays as modal dialogs, filters that apply themselves, copy buttons.
const root = document.documentElement;
const find = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
let opener = null;
let asked = null;

root.classList.add("script");

// --- theme
function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function toggleTheme() {
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // Storage may be forbidden: the choice holds for this page.
  }
}

// --- addresses
const here = () => location.pathname + location.search;
let shown = here();

function push(url) {
  history.pushState({}, "", url);
  shown = here();
}

document.addEventListener("htmx:pushedIntoHistory", () => (shown = here()));

// A link to a place on the page is no other page.
addEventListener("popstate", () => here() !== shown && location.reload());

// --- overlays
function showOverlay() {
  const dialog = find("#overlay dialog");
  if (!dialog) return;
  dialog.removeAttribute("open");
  dialog.showModal();
  if (!refocus(dialog)) find("#over-title", dialog)?.focus();
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    closeOverlay(dialog);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) closeOverlay(dialog);
  });
}

function closeOverlay(dialog) {
  // Whoever came by a link has not opened it here: focus goes to what would open it, else to the page.
  const back = opener ?? all("a[data-overlay]").find((link) => !dialog.contains(link) && link.href === location.href) ?? find("#main");
  asked = null;
  if (here() !== dialog.dataset.close) push(dialog.dataset.close);
  dialog.close();
  find("#overlay").replaceChildren();
  back.focus();
  opener = null;
}

/** Get an overlay, unless another one is asked for, or none, before it comes. */
function fetchOverlay(url) {
  asked = url;
  return fetchPart(url, { target: "#overlay", select: "#overlay", swap: "outerHTML" });
}

/** Get a part of the page of an address, which becomes the address of this page if that worked. */
function fetchPart(url, how) {
  return htmx.ajax("GET", url, how).then(() => {
    const worked = failed !== url && !isUnwanted(how.target, url);
    if (worked) push(url);
    return worked;
  });
}

const isUnwanted = (target, url) => target === "#overlay" && asked !== url;

// --- focus, when what had it is drawn anew
let kept = null;
let failed = null;

function keepFocus() {
  const { tagName, id, name, value, textContent } = document.activeElement;
  kept = { tagName, id, name, value, textContent };
}

/** Give focus to what stands where the focused element stood; say whether there is such a thing. */
function refocus(within) {
  if (!kept) return false;
  const alike = (one) => (kept.id ? one.id === kept.id : one.name === kept.name && one.value === kept.value && one.textContent === kept.textContent);
  const found = all(kept.tagName, within).find(alike);
  kept = null;
  found?.focus({ preventScroll: true });
  return Boolean(found);
}

// --- filters
let waiting = 0;

/** The address that a form asks for: no empty parameters, the two boxes of a range as one value. */
function formAddress(form) {
  const query = new URLSearchParams();
  const ends = {};
  for (const [name, value] of new FormData(form)) {
    const [, range, end] = name.match(/^(.*)\.(from|to)$/) ?? [];
    if (range) ends[range] = { ...ends[range], [end]: value.trim() };
    else if (value !== "") query.append(name, value);
  }
  for (const [name, { from, to }] of Object.entries(ends)) {
    if (from || to) query.append(name, from === to ? from : `${from}..${to}`);
  }
  return form.getAttribute("action") + (query.size ? `?${query}` : "");
}

function applyFilters(form) {
  const scrolled = find(".filters")?.scrollTop ?? 0;
  const open = all("details", form).map((details) => details.open);
  fetchPart(formAddress(form), { target: "#browse", select: "#browse", swap: "outerHTML show:none" }).then((worked) => {
    if (!worked) return;
    all(".filters details").forEach((details, i) => open[i] !== undefined && (details.open = open[i] || details.open));
    if (find(".filters")) find(".filters").scrollTop = scrolled;
  });
}

function schedule(form, delay) {
  clearTimeout(waiting);
  waiting = setTimeout(applyFilters, delay, form);
}

function findInList(input) {
  const wanted = input.value.toLowerCase();
  for (const option of all(".option", input.closest("fieldset"))) option.hidden = !option.textContent.toLowerCase().includes(wanted);
}

// --- events
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-overlay], .over .close");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    if (link.classList.contains("close")) return closeOverlay(link.closest("dialog"));
    if (!link.closest("#overlay")) opener = link;
    return fetchOverlay(link.getAttribute("href"));
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) copyText(copy);
  if (event.target.closest("[data-theme-toggle]")) toggleTheme();
});

async function copyText(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  const label = button.firstChild.textContent;
  button.firstChild.textContent = document.body.dataset.copied;
  setTimeout(() => (button.firstChild.textContent = label), 1500);
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("form");
  if (!form || event.target.matches("[data-find]")) return;
  if (form.matches("[data-auto]")) schedule(form, 300);
  if (form.matches("[data-auto-overlay]")) fetchOverlay(formAddress(form));
});

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-find]")) findInList(event.target);
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-auto]")) return;
  event.preventDefault();
  schedule(event.target, 0);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const dialog = find("#overlay dialog");
    if (!dialog) asked = null;
    else if (!dialog.matches(":modal")) closeOverlay(dialog); // drawn, and modal in a moment
  }
  if (event.key !== "/" || event.target.closest("input, textarea, select, [contenteditable]")) return;
  event.preventDefault();
  find("#jump").focus();
});

// --- the viewer in its frame
addEventListener("message", (event) => {
  const frame = find("[data-viewer]");
  if (event.origin !== location.origin || !frame || event.source !== frame.contentWindow) return;
  const status = find("[data-viewer-status]");
  if (event.data?.type === "ready") {
    frame.dataset.ready = "true";
    status.textContent = "";
  }
  if (event.data?.type === "error") {
    status.textContent = event.data.message;
    const impossible = /cannot show volumes/.test(event.data.message);
    find("[data-viewer-instead]").hidden = !impossible;
    const slices = impossible && find("[data-viewer-slices]");
    if (slices) {
      find("[data-viewer-instead]").append(slices.content);
      slices.remove();
      document.dispatchEvent(new Event("slices"));
    }
    frame.hidden = impossible;
  }
});

function prepare(within) {
  for (const hidden of all("[data-copy], [data-find], [data-theme-toggle]", within)) hidden.hidden = false;
  for (const fold of all("[data-fold]", within)) {
    if (fold.scrollHeight > fold.clientHeight + 8 && !find(".unfold", fold.parentElement)) addUnfold(fold);
  }
}

function addUnfold(fold) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "unfold", textContent: document.body.dataset.unfold });
  button.addEventListener("click", () => {
    fold.classList.add("unfolded");
    button.remove();
  });
  fold.after(button);
}

document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  failed = null;
  find("#failure")?.remove();
  (detail.target.id === "browse" ? find("#rows") : detail.target).setAttribute("aria-busy", "true");
});

document.addEventListener("htmx:afterRequest", () => {
  for (const busy of all("[aria-busy]")) busy.removeAttribute("aria-busy");
});

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  detail.shouldSwap &&= !isUnwanted(`#${detail.target.id}`, detail.pathInfo.requestPath);
  if (detail.shouldSwap && detail.target.contains(document.activeElement)) keepFocus();
});

document.addEventListener("htmx:afterSettle", (event) => {
  prepare(document);
  if (event.target.id === "overlay" || find("#overlay dialog[open]:not(:modal)")) showOverlay();
  else refocus(event.target);
});

for (const problem of ["htmx:sendError", "htmx:responseError"]) document.addEventListener(problem, ({ detail }) => sayFailed(detail));

/** What is on the page stays; the address that failed can be tried again as a page. */
function sayFailed({ target, pathInfo }) {
  failed = pathInfo.requestPath;
  const text = Object.assign(document.createElement("p"), { textContent: `${document.body.dataset.failed} ` });
  text.append(Object.assign(document.createElement("a"), { href: failed, textContent: document.body.dataset.again }));
  const notice = Object.assign(document.createElement("div"), { id: "failure", className: "notice", role: "alert" });
  notice.append(text);
  (find("dialog .inside", target) ?? find("#rows") ?? find("#main")).prepend(notice);
}

prepare(document);
showOverlay();
const frame = find("[data-viewer]");
if (frame) {
  find("[data-viewer-status]").textContent = document.body.dataset.opening;
  frame.contentWindow?.postMessage({ type: "ready?" }, location.origin);
}
