// Before the first paint: the theme that this visitor chose, if any.
try {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden: the system's theme holds.
}
