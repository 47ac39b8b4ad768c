// Reading disagreements: j and k go to the next and the previous sample.
addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`)?.click();
});
