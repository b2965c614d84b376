// Suggestions below a search box: a combobox with a list. Without this file the box is a plain form, which does the same on Enter.
const WAIT = 120;
const SHORTEST = 2;
let boxes = 0;

class Suggestions {
  constructor(input) {
    this.input = input;
    this.name = `suggestions-${(boxes += 1)}`;
    this.list = Object.assign(document.createElement("div"), { id: this.name, className: "suggestions", hidden: true });
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", document.body.dataset.suggestions);
    this.status = Object.assign(document.createElement("span"), { className: "visually-hidden" });
    this.status.setAttribute("role", "status");
    input.form.classList.add("suggested");
    input.form.append(this.list, this.status);
    const states = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": this.name };
    for (const [name, value] of Object.entries(states)) input.setAttribute(name, value);
    input.autocomplete = "off";
    input.addEventListener("input", () => this.schedule());
    input.addEventListener("keydown", (event) => this.press(event));
    input.addEventListener("blur", () => this.close());
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => this.go(event.target.closest("[role=option]")));
  }

  get options() {
    return [...this.list.querySelectorAll("[role=option]")];
  }

  schedule() {
    clearTimeout(this.waiting);
    this.asking?.abort();
    if (this.input.value.trim().length < SHORTEST) this.close();
    else this.waiting = setTimeout(() => this.ask(), WAIT);
  }

  async ask() {
    this.asking = new AbortController();
    try {
      const answer = await fetch(`/search/suggest?q=${encodeURIComponent(this.input.value.trim())}`, { signal: this.asking.signal });
      if (answer.ok) this.show((await answer.json()).groups);
    } catch (error) {
      if (error.name !== "AbortError") this.close();
    }
  }

  show(groups) {
    if (document.activeElement !== this.input) return;
    let number = 0;
    this.list.replaceChildren(
      ...groups.map(({ label, items }, place) => {
        const group = document.createElement("div");
        group.setAttribute("role", "group");
        group.setAttribute("aria-labelledby", `${this.name}-group-${place}`);
        const head = Object.assign(document.createElement("span"), { id: `${this.name}-group-${place}`, textContent: label });
        head.setAttribute("role", "presentation");
        group.append(head, ...items.map((item) => this.option(item, (number += 1))));
        return group;
      }),
    );
    this.open = number > 0;
    this.status.textContent = number ? `${document.body.dataset.suggestions}: ${number}` : document.body.dataset.unsuggested;
  }

  option({ text, detail, href }, number) {
    const option = Object.assign(document.createElement("div"), { id: `${this.name}-${number}` });
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    option.dataset.href = href;
    option.append(...[text, detail].map((words) => Object.assign(document.createElement("span"), { textContent: words })));
    return option;
  }

  set open(isOpen) {
    this.list.hidden = !isOpen;
    this.input.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) this.choose(null);
  }

  close() {
    this.open = false;
    this.status.textContent = "";
  }

  choose(option) {
    for (const other of this.options) other.setAttribute("aria-selected", String(other === option));
    if (option) this.input.setAttribute("aria-activedescendant", option.id);
    else this.input.removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  }

  press(event) {
    const { options } = this;
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" && !this.list.hidden) {
      event.preventDefault();
      this.close();
    } else if (event.key === "Enter" && at >= 0 && !this.list.hidden) {
      event.preventDefault();
      this.go(options[at]);
    } else if (step && options.length && !this.list.hidden) {
      event.preventDefault();
      const next = at < 0 && step < 0 ? options.length - 1 : at + step;
      this.choose(options[next] ?? null);
    } else if (event.key === "ArrowDown" && this.list.hidden && this.input.value.trim().length >= SHORTEST) {
      event.preventDefault();
      this.ask();
    }
  }

  go(option) {
    if (option) location.assign(option.dataset.href);
  }
}

for (const input of document.querySelectorAll("input[data-suggest]")) new Suggestions(input);
