// The ledger of claims: a filter whose state is in the address, and a link from each card to its row.
(() => {
  "use strict";
  const root = document.documentElement.dataset.content_root || "./";

  for (const verdict of document.querySelectorAll(".claim strong")) {
    const id = verdict.textContent.match(/^C\d+/);
    if (!id) continue;
    const link = document.createElement("a");
    link.className = "claim-ledger";
    link.href = `${root}book/ledger.html#${id[0].toLowerCase()}`;
    link.textContent = `${id[0]} in the ledger`;
    verdict.parentElement.append(" ", link);
  }

  const form = document.getElementById("ledger-filter");
  if (!form) return;
  const fields = [...form.elements].filter((field) => field.name);
  const rows = [...document.querySelectorAll("table.ledger tbody tr")];
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const count = form.querySelector("output");

  function fits(row, field) {
    if (field.name !== "words") return !field.value || row.dataset[field.name] === field.value;
    return field.value.toLowerCase().split(/\s+/).every((word) => texts.get(row).includes(word));
  }

  function show() {
    let shown = 0;
    for (const row of rows) {
      row.hidden = !fields.every((field) => fits(row, field));
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${rows.length} items shown`;
  }

  // "#verdict=holds&chapter=11" is a view, "#c105" a row; "" is the whole table
  function read() {
    const hash = location.hash.slice(1);
    const target = hash && !hash.includes("=") && document.getElementById(hash);
    if (target && !target.hidden) return;
    const state = new URLSearchParams(target ? "" : hash);
    for (const field of fields) {
      field.value = state.get(field.name) ?? "";
      if (field.selectedIndex === -1) field.value = ""; // a choice that does not exist
    }
    show();
    if (target) target.scrollIntoView();
  }

  function write() {
    const state = new URLSearchParams();
    for (const field of fields) if (field.value.trim()) state.set(field.name, field.value.trim());
    history.replaceState(null, "", `#${state}`);
    show();
  }

  for (const event of ["input", "change"]) form.addEventListener(event, write);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(write)); // after the fields have been emptied
  window.addEventListener("hashchange", read);
  form.hidden = false;
  show();
  read();
})();
