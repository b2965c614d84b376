import { copyFileSync, mkdirSync } from "node:fs";
import path from "node:path";
import { defaultClientConditions, defineConfig } from "vite";
import { bundledPackages, writeNotices } from "./notices.mjs";

const here = import.meta.dirname;
const out = path.join(here, "dist");
const modules = path.join(here, "node_modules");

/** Files that are used as they are published, next to the viewer. */
const COPIES = {
  "htmx.org": { "dist/htmx.min.js": "htmx.min.js" },
  uplot: { "dist/uPlot.iife.min.js": "uplot.min.js", "dist/uPlot.min.css": "uplot.min.css" },
};

/** Everything but same-origin zarr, precomputed and meshes stays out of the bundle: no other site is ever asked. */
const CONDITIONS = [
  "neuroglancer/datasource:none_by_default",
  "neuroglancer/datasource/zarr:enabled",
  "neuroglancer/datasource/precomputed:enabled",
  "neuroglancer/datasource/obj:enabled",
  "neuroglancer/datasource/vtk:enabled",
  "neuroglancer/kvstore:none_by_default",
  "neuroglancer/kvstore/http:enabled",
  "neuroglancer/kvstore/gzip:enabled",
];

/** Vite sees `new Worker(new URL(...))` only without webpack's comment in front of the URL. */
const workerComments = {
  name: "worker-comments",
  enforce: "pre",
  transform(code, id) {
    if (!id.includes("neuroglancer/lib/") || !code.includes("webpackChunkName")) return null;
    return { code: code.replace(/\/\*\s*webpackChunkName[^*]*\*\//g, ""), map: null };
  },
};

const copies = {
  name: "copies",
  apply: "build",
  closeBundle() {
    mkdirSync(out, { recursive: true });
    for (const [name, files] of Object.entries(COPIES)) {
      for (const [from, to] of Object.entries(files)) copyFileSync(path.join(modules, name, from), path.join(out, to));
    }
    writeNotices({ out, modules, extra: Object.keys(COPIES) });
  },
};

/** The published icon set lacks three icons that Neuroglancer takes from a git revision: they are ours. */
const icons = {
  find: /^ikonate\/icons\/(code-alt|controls-alt|layers)\.svg/,
  replacement: path.join(here, "viewer/icons/$1.svg"),
};

export default defineConfig({
  root: path.join(here, "viewer"),
  base: "",
  plugins: [workerComments, bundledPackages(), copies],
  resolve: { alias: [icons], conditions: [...CONDITIONS, ...defaultClientConditions] },
  worker: { format: "es", plugins: () => [workerComments, bundledPackages()] },
  build: {
    outDir: path.join(out, "viewer"),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4096,
  },
});
