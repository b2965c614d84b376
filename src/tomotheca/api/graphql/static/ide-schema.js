// The schema, asked once from the endpoint, and the panel in which one reads it.

const REFERENCE = "kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
const INPUT = `name description defaultValue type { ${REFERENCE} }`;
const QUESTION = `{ __schema { queryType { name } types { name description kind interfaces { name }
  fields { name description args { ${INPUT} } type { ${REFERENCE} } } inputFields { ${INPUT} } enumValues { name description } } } }`;
const MOST_FOUND = 200;

export const named = (type) => (type.kind === "NON_NULL" ? `${named(type.ofType)}!` : type.kind === "LIST" ? `[${named(type.ofType)}]` : type.name);
export const bare = (type) => (type.ofType ? bare(type.ofType) : type.name);

export class Schema {
  constructor(told) {
    this.query = told.queryType.name;
    const records = (type) => Number(Boolean(type.interfaces && type.interfaces.length));
    const types = told.types.filter((t) => !t.name.startsWith("__")).sort((a, b) => records(b) - records(a));
    this.types = new Map(types.map((t) => [t.name, t]));
  }

  static async ask(send) {
    return new Schema((await send({ query: QUESTION })).data.__schema);
  }

  fields(name) {
    const type = this.types.get(name);
    return (type && (type.fields || type.inputFields || type.enumValues)) || [];
  }

  field(type, name) {
    return this.fields(type).find((f) => f.name === name);
  }
}

function element(name, text, parent) {
  const made = document.createElement(name);
  made.textContent = text;
  parent.append(made);
  return made;
}

function link(text, parent, act) {
  const made = element("button", text, parent);
  made.type = "button";
  made.className = "link";
  made.addEventListener("click", act);
  return made;
}

export class Panel {
  constructor(schema, place, trail, search) {
    Object.assign(this, { schema, place, trail, search, seen: [schema.query] });
    search.addEventListener("input", () => this.find(search.value.trim().toLowerCase()));
    this.show(schema.query);
  }

  show(name) {
    const at = this.seen.indexOf(name);
    this.seen = at < 0 ? [...this.seen, name].slice(-6) : this.seen.slice(0, at + 1);
    this.search.value = "";
    this.trail.replaceChildren();
    for (const before of this.seen.slice(0, -1)) link(before, this.trail, () => this.show(before));
    const type = this.schema.types.get(name);
    this.place.replaceChildren();
    element("h3", name, this.place);
    if (type.description) element("p", type.description, this.place);
    const list = element("dl", "", this.place);
    for (const field of this.schema.fields(name)) this.line(field, list);
    this.place.scrollTop = 0;
  }

  line(field, list, owner = "") {
    const line = element("dt", owner ? `${owner}.${field.name}` : field.name, list);
    if (field.type) {
      line.append(": ");
      link(named(field.type), line, () => this.show(bare(field.type)));
    }
    if (field.description) element("dd", field.description, list);
    for (const argument of field.args || []) {
      const told = element("dd", `${argument.name}: `, list);
      link(named(argument.type), told, () => this.show(bare(argument.type)));
      if (argument.description) told.append(` ${argument.description}`);
    }
  }

  find(word) {
    if (!word) {
      this.show(this.seen[this.seen.length - 1]);
      return;
    }
    this.place.replaceChildren();
    const list = element("dl", "", this.place);
    let left = MOST_FOUND;
    for (const type of this.schema.types.values()) {
      if (left > 0 && type.name.toLowerCase().includes(word)) {
        link(type.name, element("dt", "", list), () => this.show(type.name));
        left -= 1;
      }
      for (const field of type.fields || []) {
        if (left > 0 && field.name.toLowerCase().includes(word)) {
          this.line({ ...field, args: [] }, list, type.name);
          left -= 1;
        }
      }
    }
    if (!list.childElementCount) element("p", "Nothing of that name.", this.place);
  }
}
