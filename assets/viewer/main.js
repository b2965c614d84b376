/**
 * The viewer page: Neuroglancer, showing one state of this site's own data.
 *
 * The state comes from `?state=/path/on/this/site`, from `#!{...}`, or from the page around the frame. Messages
 * (same origin only) are {type: "set-state", state}, {type: "get-state"} and {type: "ready?"}; answers are
 * {type: "ready", layers}, {type: "state", state} and {type: "error", message}.
 */
import "neuroglancer";
import { setDefaultInputEventBindings } from "neuroglancer/unstable/ui/default_input_event_bindings.js";
import { makeDefaultViewer } from "neuroglancer/unstable/ui/default_viewer.js";
import { resolveState } from "./sources.js";
import "./viewer.css";

const POLL_MILLISECONDS = 50;
const page = document.documentElement.dataset;
let viewer;
let generation = 0;

function tell(message) {
  if (window.parent !== window) window.parent.postMessage(message, location.origin);
}

function layerNames() {
  return viewer.layerManager.managedLayers.map((layer) => layer.name);
}

function fail(error) {
  const message = error instanceof Error ? error.message : String(error);
  page.error = message;
  delete page.ready;
  let box = document.querySelector(".tomotheca-message");
  if (box === null) {
    box = document.createElement("p");
    box.className = "tomotheca-message";
    box.setAttribute("role", "alert");
    document.body.append(box);
  }
  box.textContent = message;
  tell({ type: "error", message });
}

function clearFailure() {
  document.querySelector(".tomotheca-message")?.remove();
  delete page.error;
  delete page.ready;
}

function* failedSources() {
  for (const managed of viewer.layerManager.managedLayers) {
    for (const source of managed.layer?.dataSources ?? []) {
      const error = source.loadState?.error;
      if (error !== undefined) yield `${managed.name}: ${error.message ?? error}`;
    }
  }
}

/** Say once, for each state, that everything visible is drawn, or what could not be read. */
function watch(current) {
  if (current !== generation) return;
  const [failure] = failedSources();
  if (failure !== undefined) return fail(failure);
  if (!viewer.isReady()) return setTimeout(watch, POLL_MILLISECONDS, current);
  page.ready = "true";
  page.layers = JSON.stringify(layerNames());
  tell({ type: "ready", layers: layerNames() });
}

function show(state) {
  const checked = resolveState(state, location.origin);
  generation += 1;
  clearFailure();
  viewer.state.reset();
  viewer.state.restoreState(checked);
  setTimeout(watch, POLL_MILLISECONDS, generation);
}

async function fetchState(path) {
  const url = new URL(path, location.origin);
  if (!/^\/(?![/\\])/.test(path) || url.origin !== location.origin) {
    throw new Error("The viewer takes its state from this site only.");
  }
  const answer = await fetch(url, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`The viewer's state could not be loaded (HTTP ${answer.status}).`);
  return answer.json();
}

async function requestedState() {
  if (location.hash.startsWith("#!")) return JSON.parse(decodeURIComponent(location.hash.slice(2)));
  const path = new URLSearchParams(location.search).get("state");
  return path === null ? undefined : fetchState(path);
}

async function showRequested() {
  try {
    const state = await requestedState();
    if (state !== undefined) show(state);
  } catch (error) {
    fail(error);
  }
}

const ANSWERS = {
  "set-state": ({ state }) => show(state),
  "get-state": () => tell({ type: "state", state: viewer.state.toJSON() }),
  "ready?": () => page.ready === "true" && tell({ type: "ready", layers: layerNames() }),
};

function receive(event) {
  if (event.origin !== location.origin || !Object.hasOwn(ANSWERS, event.data?.type)) return;
  try {
    ANSWERS[event.data.type](event.data);
  } catch (error) {
    fail(error);
  }
}

function start() {
  try {
    viewer = makeDefaultViewer({ showLayerDialog: false, resetStateWhenEmpty: false, showEditStateButton: false });
  } catch (error) {
    return fail(`This browser cannot show volumes: ${error.message}`);
  }
  window.viewer = viewer;
  setDefaultInputEventBindings(viewer.inputEventBindings);
  window.addEventListener("message", receive);
  window.addEventListener("hashchange", showRequested);
  return showRequested();
}

start();
