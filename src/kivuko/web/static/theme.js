// Before the first paint: the colors that were chosen here earlier. Not a module, because modules run later.
try {
  const theme = localStorage.getItem("kivuko.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is blocked: the system's colors stay.
}
