"use strict";
(() => {
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  all("[hidden]").forEach((part) => { part.hidden = false; });

  const dark = matchMedia("(prefers-color-scheme: dark)");
  document.getElementById("theme").addEventListener("click", () => {
    const now = document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  });

  const fold = document.getElementById("fold");
  fold.addEventListener("click", () => {
    const open = fold.textContent === "Open all evidence";
    all("details").forEach((part) => { part.open = open; });
    fold.textContent = open ? "Close all evidence" : "Open all evidence";
  });

  document.getElementById("print").addEventListener("click", () => print());
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open]):not(.record)");
    closed.forEach((part) => { part.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((part) => { part.open = false; }));

  all(".copy").forEach((button) => button.addEventListener("click", async () => {
    const text = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected";
    }
  }));

  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (!target) return;
    if (target.tagName === "DETAILS") target.open = true;
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  };
  addEventListener("hashchange", reveal);
  reveal();

  all("table.sortable").forEach((table) => all("th", table).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const value = (row) => {
      const cell = row.cells[column];
      return head.dataset.kind === "number" ? Number(cell.dataset.value) : cell.textContent.trim().toLowerCase();
    };
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      all("th", table).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (rising ? 1 : -1));
      table.tBodies[0].append(...rows);
    });
  }));

  const box = document.getElementById("filter");
  const ticks = all("[data-level][type=checkbox]");
  const rows = all("#incidents tbody tr");
  const incidents = all(".incident");
  const texts = rows.map((row) => {
    const link = row.querySelector("a");
    const open = link && document.getElementById(link.getAttribute("href").slice(1));
    return (row.textContent + " " + (open ? open.textContent : "")).toLowerCase();
  });
  const sift = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const levels = new Set(ticks.filter((tick) => tick.checked).map((tick) => tick.dataset.level));
    let shown = 0;
    rows.forEach((row, index) => {
      const fits = levels.has(row.dataset.level) && words.every((word) => texts[index].includes(word));
      row.classList.toggle("gone", !fits);
      shown += fits;
      const link = row.querySelector("a");
      if (link) document.getElementById(link.getAttribute("href").slice(1)).classList.toggle("gone", !fits);
    });
    document.getElementById("count").textContent = shown === rows.length ? "" : `${shown} of ${rows.length}`;
  };
  if (box) {
    box.addEventListener("input", sift);
    ticks.forEach((tick) => tick.addEventListener("change", sift));
  }

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|TEXTAREA/.test(event.target.tagName)) return;
    if (event.key === "/" && box) { event.preventDefault(); box.focus(); return; }
    if (event.key !== "j" && event.key !== "k") return;
    const open = incidents.filter((part) => !part.classList.contains("gone"));
    const at = open.indexOf(document.activeElement);
    const next = open[event.key === "j" ? at + 1 : at - 1];
    if (next) { next.scrollIntoView(); next.focus({ preventScroll: true }); }
  });
})();
