// The form works without this file. It puts the cursor into the field that a link of the summary leads to.
for (const link of document.querySelectorAll(".problems a")) {
  link.addEventListener("click", (event) => {
    const field = document.getElementById(link.hash.slice(1));
    if (!field) return;
    event.preventDefault(); // the browser would scroll there and leave the cursor behind
    history.replaceState({}, "", link.hash);
    field.focus();
  });
}
document.querySelector(".problems")?.focus();
