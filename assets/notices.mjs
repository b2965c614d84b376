/** Which npm packages ended up in the bundle, and the licence texts that have to go with them. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const LICENCE_FILE = /^(licen[cs]e|notice|copying|authors)/i;
const found = new Set();

/** A plugin that notes the package of every bundled module (one instance per bundle, workers included). */
export function bundledPackages() {
  return {
    name: "bundled-packages",
    generateBundle() {
      for (const id of this.getModuleIds()) {
        const [, name] = id.replaceAll("\\", "/").match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)\//) ?? [];
        if (name !== undefined) found.add(name);
      }
    },
  };
}

/** Write THIRD_PARTY_LICENSES.txt and packages.json. */
export function writeNotices({ out, modules, extra }) {
  const packages = [...new Set([...found, ...extra])].sort().map((name) => describe(path.join(modules, name)));
  const texts = packages.map(({ name, version, license, texts }) => [`${name} ${version} (${license})`, ...texts]);
  const rule = "=".repeat(100);
  const intro = "This directory contains the following software, each under its own licence.";
  writeFileSync(
    path.join(out, "THIRD_PARTY_LICENSES.txt"),
    [intro, ...texts.map((parts) => `${rule}\n${parts.join("\n\n")}`)].join("\n\n") + "\n",
  );
  const list = packages.map(({ name, version, license }) => ({ name, version, license }));
  writeFileSync(path.join(out, "packages.json"), JSON.stringify(list, null, 2) + "\n");
}

function describe(folder) {
  const { name, version, license, author } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const texts = licenceTexts(folder);
  if (name === "neuroglancer") texts.push(...headerTexts(path.join(folder, "lib/third_party")));
  if (texts.length === 0) texts.push(`Licence ${license}; author ${JSON.stringify(author)}. No text is published with it.`);
  return { name, version, license, texts };
}

function licenceTexts(folder) {
  const names = readdirSync(folder, { withFileTypes: true });
  const files = names.filter((entry) => entry.isFile() && LICENCE_FILE.test(entry.name));
  return files.map((entry) => readFileSync(path.join(folder, entry.name), "utf8").trim());
}

/** Code copied into neuroglancer carries its notice in the first comment of each file. */
function headerTexts(folder) {
  const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".js"));
  const heads = files.map((name) => readFileSync(path.join(folder, name), "utf8").match(/\/\*[\s\S]*?\*\//)?.[0]);
  return heads.filter((head) => head !== undefined && /copyright|licen[cs]e/i.test(head));
}
