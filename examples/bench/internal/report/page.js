// The page says everything without this. With it, pointing at a chart reads its numbers out of the table below it, in all
// charts at once marks that time, and an entry of a legend hides its curves.
"use strict";
{
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);

  const figures = [...document.querySelectorAll("figure[data-time]")].map(figure => {
    const plot = figure.querySelector("svg.plot");
    const cross = document.createElementNS("http://www.w3.org/2000/svg", "line");
    cross.setAttribute("class", "cross off");
    cross.setAttribute("y1", "0");
    cross.setAttribute("y2", plot.getAttribute("height"));
    plot.append(cross);
    for (const title of plot.querySelectorAll("title")) title.remove(); // one read-out is enough
    const heads = [...figure.querySelectorAll("thead th[scope=col]")].map(head => head.textContent);
    const rows = [...figure.querySelectorAll("tr[data-x]")].map(row => ({x: Number(row.dataset.x), cells: row.children}));
    return {plot, cross, heads, rows};
  });

  const leave = () => {
    tip.hidden = true;
    for (const {cross} of figures) cross.classList.add("off");
  };

  const nearest = (rows, x) => rows.reduce((best, row) => Math.abs(best.x - x) > Math.abs(row.x - x) ? row : best);

  const mark = x => {
    for (const {cross} of figures) {
      cross.setAttribute("x1", x * 100 + "%");
      cross.setAttribute("x2", x * 100 + "%");
      cross.classList.remove("off");
    }
  };

  // Texts go in as text: nothing that the benchmark met is ever read as markup.
  const read = (heads, cells) => {
    tip.replaceChildren(...heads.map((head, i) => {
      const text = cells[i].textContent;
      const line = document.createElement(i === 0 ? "b" : "div");
      if (i === 0) {
        line.textContent = head + " " + text;
        return line;
      }
      const name = document.createElement("span");
      const value = document.createElement("span");
      name.textContent = head;
      value.textContent = text;
      line.append(name, value);
      return line;
    }));
  };

  const place = (x, y) => {
    tip.hidden = false;
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    const right = x + 16;
    tip.style.left = Math.max(8, right > room ? Math.min(room, x - tip.offsetWidth - 16) : right) + window.scrollX + "px";
    tip.style.top = y + 16 + window.scrollY + "px";
  };

  for (const {plot, heads, rows} of figures) {
    if (rows.length === 0) continue;
    plot.addEventListener("pointermove", event => {
      const box = plot.getBoundingClientRect();
      const row = nearest(rows, (event.clientX - box.left) / box.width);
      mark(row.x);
      read(heads, row.cells);
      place(event.clientX, event.clientY);
    });
    plot.addEventListener("pointerleave", leave);
  }

  for (const entry of document.querySelectorAll(".legend li")) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.append(...entry.childNodes);
    entry.append(button);
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      for (const curve of entry.closest(".strip").querySelectorAll(".figures [data-k]")) {
        if (curve.dataset.k === entry.dataset.k) curve.classList.toggle("off", !shown);
      }
    });
  }
}
