// Choosing a method: answers are requirements; the rows of the table move below the line that they fail.
(() => {
  "use strict";
  const form = document.getElementById("choosing-form");
  if (!form) return;
  const inputs = [...form.querySelectorAll("input")];
  const left = document.getElementById("choosing-left");
  const out = document.getElementById("choosing-out");
  const rows = [...left.rows];
  const said = form.querySelector("output");
  const note = (name) => document.getElementById(`choosing-${name}`);
  const nameOf = (row) => row.querySelector("th a").textContent;

  // "met", "undecided", "not met" or "not measured here"
  function state(row, answer) {
    const found = row.querySelector(`[data-property="${answer.dataset.asks}"]`);
    const has = (list) => (found.dataset[list] ?? "").split(" ").includes(answer.value);
    if (!found || "unmeasured" in found.dataset) return found ? "not measured here" : "not met";
    return has("met") ? "met" : has("undecided") ? "undecided" : "not met";
  }

  const fits = (row, answers) => answers.every((answer) => state(row, answer) === "met");

  // of the rows' evidence only what was asked is shown, and of a row that fell out only what failed
  function tell(row, answers, stays) {
    for (const evidence of row.querySelectorAll("[data-property]")) {
      const own = answers.filter((answer) => answer.dataset.asks === evidence.dataset.property);
      const states = own.map((answer) => state(row, answer)).filter((found) => stays || found !== "met");
      evidence.hidden = states.length === 0;
      const known = states.filter((found) => found !== "met" && found !== "not measured here");
      evidence.querySelector(".choosing-state").textContent = known.length ? `${known[0]}:` : "";
    }
  }

  function without(answers) {
    return answers.map((given) => {
      const rest = rows.filter((row) => fits(row, answers.filter((answer) => answer !== given)));
      const item = document.createElement("li");
      const [label, legend] = [given.closest("label"), given.closest("fieldset").firstElementChild];
      const answer = `“${label.textContent.trim()}” (question ${parseInt(legend.textContent, 10)})`;
      item.textContent = `without ${answer}: ${rest.map(nameOf).join(", ") || "none either"}`;
      return item;
    });
  }

  function summary(kept, answers) {
    const names = kept.map(nameOf).join(", ");
    if (!answers.length) return `Nothing is asked yet: all ${rows.length} methods are left.`;
    if (!kept.length) return `None of ${rows.length} methods is left.`;
    const few = kept.length > 3 ? "" : `: ${names}`;
    return `${kept.length} of ${rows.length} methods ${kept.length === 1 ? "is" : "are"} left${few}.`;
  }

  function show() {
    const answers = inputs.filter((input) => input.checked && input.value);
    const kept = rows.filter((row) => fits(row, answers));
    for (const row of rows) {
      const stays = kept.includes(row);
      (stays ? left : out).append(row);
      tell(row, answers, stays);
    }
    const right = answers.some((answer) => answer.value === "right");
    left.closest("table").hidden = right; // no number can be a reason
    left.hidden = !kept.length;
    out.hidden = kept.length === rows.length;
    note("one").hidden = kept.length !== 1;
    note("right").hidden = !right;
    note("none").hidden = Boolean(kept.length) || right;
    note("none").querySelector("ul").replaceChildren(...(kept.length || right ? [] : without(answers)));
    said.textContent = summary(kept, answers);
  }

  // "#purpose=sum&react=class&react=labels" restores its answers; what does not exist is ignored
  function read() {
    const kept = new URLSearchParams(location.hash.slice(1));
    for (const input of inputs) {
      const wanted = kept.getAll(input.name);
      input.checked = wanted.includes(input.value);
    }
    for (const input of inputs) {
      const group = inputs.filter((other) => other.name === input.name);
      if (input.type === "radio" && !input.value && !group.some((other) => other.checked)) input.checked = true;
    }
    show();
  }

  function write() {
    const state = new URLSearchParams();
    for (const input of inputs) if (input.checked && input.value) state.append(input.name, input.value);
    history.replaceState(null, "", `#${state}`);
    show();
  }

  form.addEventListener("change", write);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(write)); // after the answers have been taken back
  window.addEventListener("hashchange", () => {
    if (location.hash.includes("=") || !location.hash.slice(1)) read(); // else it is a place on the page
  });
  form.hidden = false;
  read();
})();
