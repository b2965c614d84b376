// What may stand at a place of a query: read from the tokens before it.

import { bare, named } from "./ide-schema.js";

const TOKEN = /#[^\n]*|"""[^]*?"""|"(?:[^"\\\n]|\\.)*"|\.\.\.|[{}()[\]:=!@$|&]|[A-Za-z_]\w*|-?\d[\d.eE+-]*/g;
const MOST = 60;

const isName = (token) => /^[A-Za-z_]/.test(token || "");

/** Read the text before the cursor: a stack of { kind: "fields" | "arguments" | "object", type | field }, and the last names. */
function read(schema, text) {
  const stack = [];
  let field = null;
  let argument = null;
  let condition = "";
  const tokens = text.match(TOKEN) || [];
  tokens.forEach((token, index) => {
    const top = stack[stack.length - 1];
    const before = tokens[index - 1];
    if (token === "{") {
      if (top && (top.kind === "arguments" || top.kind === "object")) {
        stack.push({ kind: "object", type: argument ? bare(argument.type) : "", list: false });
      } else {
        stack.push({ kind: "fields", type: condition || (top ? (field && field.type ? bare(field.type) : "") : schema.query) });
      }
      condition = "";
      field = argument = null;
    } else if (token === "(") {
      stack.push({ kind: top ? "arguments" : "variables", field });
    } else if (token === "}" || token === ")") {
      const left = stack.pop();
      field = left && left.kind === "arguments" ? left.field : null;
    } else if (isName(token)) {
      if (before === "on" && tokens[index - 2] !== "{") condition = token;
      else if (top && top.kind === "fields" && before !== "..." && before !== "@") field = schema.field(top.type, token) || null;
      else if (top && top.kind === "arguments" && before !== ":") argument = ((top.field && top.field.args) || []).find((a) => a.name === token);
      else if (top && top.kind === "object" && before !== ":") argument = schema.field(top.type, token);
    }
  });
  return { top: stack[stack.length - 1], argument, last: tokens[tokens.length - 1] };
}

/** Give the names that may stand at the end of a text, and the beginning of a name that is there already. */
export function offers(schema, text) {
  const begun = (text.match(/[A-Za-z_]\w*$/) || [""])[0];
  const { top, argument, last } = read(schema, text.slice(0, text.length - begun.length));
  let found = [];
  if (!top) found = begun ? [] : [{ name: "query" }];
  else if (last === ":" && argument) found = schema.types.get(bare(argument.type)).enumValues || [];
  else if (top.kind === "arguments") found = (top.field && top.field.args) || [];
  else found = schema.fields(top.type);
  const word = begun.toLowerCase();
  const fits = found.filter((f) => f.name.toLowerCase().includes(word) && f.name !== begun);
  fits.sort((a, b) => b.name.toLowerCase().startsWith(word) - a.name.toLowerCase().startsWith(word));
  return { begun, names: fits.slice(0, MOST).map((f) => ({ name: f.name, type: f.type ? named(f.type) : "" })) };
}
