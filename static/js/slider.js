// A slider under a number field: <input type="number" data-slider="LOW HIGH STEP">. It sends
// nothing itself: its change bubbles to the form, which then reads the field.

for (const field of document.querySelectorAll("input[data-slider]")) {
  const [min, max, step] = field.dataset.slider.split(" ");
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min, max, step, value: field.value });
  slider.setAttribute("aria-label", field.labels[0].textContent);
  slider.addEventListener("input", () => {
    field.value = slider.value;
  });
  field.addEventListener("input", () => {
    slider.value = field.value;
  });
  field.after(slider);
}
