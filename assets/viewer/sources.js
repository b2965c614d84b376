/** What a viewer state may name: data on this site, and nothing else. */

export class ForeignSourceError extends Error {}

/** Keys whose strings are prose or programs, not addresses. */
const TEXT_KEYS = new Set(["description", "name", "shader", "skeletonShader", "title"]);
const SOURCE_KEYS = new Set(["source", "url", "mesh", "skeletons"]);
const FORMAT = /^[a-z][a-z0-9]*:\/\//;
const ADAPTER = /^[a-z][a-z0-9+.-]*:(?!\/\/)[^|]*$/;

/** The state with every source absolute, e.g. `zarr2:///files/a.zarr` becomes `zarr2://https://here/files/a.zarr`. */
export function resolveState(state, origin) {
  if (state === null || typeof state !== "object" || Array.isArray(state)) {
    throw new TypeError("A viewer state is a JSON object.");
  }
  return resolveNode(state, { origin, isSource: false });
}

function resolveNode(node, context) {
  if (typeof node === "string") return resolveString(node, context);
  if (Array.isArray(node)) return node.map((item) => resolveNode(item, context));
  if (node === null || typeof node !== "object") return node;
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, resolveEntry(key, value, context)]));
}

function resolveEntry(key, value, { origin }) {
  if (TEXT_KEYS.has(key) && typeof value === "string") return value;
  return resolveNode(value, { origin, isSource: SOURCE_KEYS.has(key) });
}

function resolveString(text, { origin, isSource }) {
  return isSource || text.includes("://") ? resolveSource(text, origin) : text;
}

/** One source: an optional format, an address on this site, and adapters (`|zarr2:`) behind it. */
export function resolveSource(source, origin) {
  if (source === "" || source.startsWith("local://")) return source;
  const [base, ...adapters] = source.split("|");
  if (!adapters.every((adapter) => ADAPTER.test(adapter))) throw foreign(source);
  const format = /^https?:\/\//.test(base) ? "" : (base.match(FORMAT)?.[0] ?? "");
  return [format + resolveAddress(base.slice(format.length), { origin, source }), ...adapters].join("|");
}

function resolveAddress(address, { origin, source }) {
  if (!/^(https?:\/\/|\/(?![/\\]))/.test(address)) throw foreign(source);
  const url = new URL(address, origin);
  if (url.origin !== origin || url.username !== "" || url.password !== "") throw foreign(source);
  return url.href;
}

function foreign(source) {
  return new ForeignSourceError(`The viewer opens data of this site only, not ${source}.`);
}
