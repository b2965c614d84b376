// Slices as a slider. Without this file the same form and links load the page again.
const find = (selector, from) => from.querySelector(selector);

/** Make one preview answer at once: one picture is asked for at a time, and the last one wanted is the one shown. */
function attach(box) {
  const [image, form, output] = ["img", "form", "output"].map((name) => find(name, box));
  const slider = find("[name=index]", form);
  const steps = [...box.querySelectorAll("[data-step]")];
  let busy = false;
  let wanted = image.getAttribute("src");

  const last = () => Number(slider.max);
  const fields = () => [...new FormData(form)].filter(([name, value]) => value !== "" && ["axis", "index", "overlay", "contrast"].includes(name));
  const address = (index) => `${box.dataset.slices}?${new URLSearchParams(fields().map(([name, value]) => [name, name === "index" ? index : value]))}`;

  function load() {
    if (busy || image.getAttribute("src") === wanted) return;
    busy = true;
    image.src = wanted;
  }

  function settled() {
    busy = false;
    load();
    const next = Number(slider.value) + Number(slider.dataset.by);
    if (!busy && next <= last()) new Image().src = address(next);
  }

  function show() {
    const index = Number(slider.value);
    wanted = address(index);
    const before = output.textContent;
    output.textContent = box.dataset.said.replace("{}", index + 1).replace("{}", last() + 1);
    image.alt = image.alt.replace(before, output.textContent).replace(/^\S+ \d+ of \d+/, output.textContent);
    slider.setAttribute("aria-valuetext", output.textContent);
    load();
  }

  function remember() {
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
    history.replaceState(history.state, "", `${location.pathname}?${query}`);
  }

  function move(by) {
    slider.value = Math.min(last(), Math.max(0, Number(slider.value) + by));
    show();
    remember();
  }

  image.addEventListener("load", settled);
  image.addEventListener("error", settled);
  form.addEventListener("input", show);
  form.addEventListener("change", remember);
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const step of steps) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: step.textContent });
    button.addEventListener("click", () => move(Number(step.dataset.step)));
    step.replaceWith(button);
  }
  slider.addEventListener("keydown", (event) => {
    const by = { PageUp: 10, PageDown: -10, ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    move(by * Number(slider.dataset.by));
  });
  find("form > button", box).hidden = true;
}

function attachAll() {
  for (const box of document.querySelectorAll("[data-slices]:not([data-attached])")) {
    box.dataset.attached = "";
    attach(box);
  }
}

document.addEventListener("slices", attachAll);
attachAll();
