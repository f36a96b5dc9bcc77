(() => {
  "use strict";
  for (const root of document.querySelectorAll(".ebpf-inside:not([data-ready])")) {
    root.dataset.ready = "";
    const card = root.appendChild(document.createElement("div"));
    card.className = "card";
    card.hidden = true;
    // The card takes the place of the browser's own, smaller one.
    for (const row of root.querySelectorAll(".code [data-i][title]")) {
      row.dataset.card = row.title;
      row.removeAttribute("title");
    }
    // Above the first line with code there is often a long comment.
    for (const pane of root.querySelectorAll("pre.c")) {
      const first = pane.querySelector(".l");
      if (first) pane.scrollTop += first.getBoundingClientRect().top - pane.getBoundingClientRect().top - 60;
    }
    let pinned = null;

    const marked = (program, name, value) =>
      value ? program.querySelectorAll(`[${name}="${CSS.escape(value)}"]`) : [];

    const clear = () => {
      for (const each of root.querySelectorAll(".on, .at")) each.classList.remove("on", "at");
      card.hidden = true;
    };

    const show = (target, scroll) => {
      clear();
      const program = target.closest(".program");
      const line = target.closest("[data-l]")?.dataset.l;
      const number = target.closest("[data-i]")?.dataset.i;
      const lines = marked(program, "data-l", line);
      const instructions = marked(program, "data-i", number);
      for (const each of lines) each.classList.add("on");
      for (const each of instructions) each.classList.add("at");
      const box = target.closest(".box");
      if (box)
        for (const each of box.closest(".flow").querySelectorAll(
          `[data-from="${box.dataset.b}"], [data-to="${box.dataset.b}"]`))
          each.classList.add("on");
      if (number) tell(target.closest("[data-i]"), program.querySelector(`.code [data-i="${number}"]`));
      if (!scroll) return;
      const from = target.closest("pre.c, pre.code, .flow");
      for (const pane of program.querySelectorAll("pre.c, pre.code, .flow")) {
        if (pane === from) continue;
        const first = [...instructions, ...lines].find((each) => pane.contains(each));
        if (!first) continue;
        const room = pane.getBoundingClientRect(), place = first.getBoundingClientRect();
        pane.scrollTop += place.top - room.top - room.height / 3;
        if (pane.className === "flow") pane.scrollLeft += place.left - room.left - room.width / 3;
      }
    };

    const tell = (near, row) => {
      if (!row?.dataset.card) return;
      card.replaceChildren();
      for (const line of row.dataset.card.split("\n")) {
        const strong = card.childElementCount === 0 || line.startsWith("*");
        const part = document.createElement(strong ? "b" : "span");
        part.textContent = `${line}\n`;
        card.append(part);
      }
      card.hidden = false;
      const place = near.getBoundingClientRect(), room = root.getBoundingClientRect();
      const left = Math.min(place.left - room.left + 40, room.width - card.offsetWidth - 4);
      card.style.left = `${Math.max(left, 0)}px`;
      const below = place.bottom + 4 + card.offsetHeight < window.innerHeight;
      card.style.top = `${below ? place.bottom - room.top + 4 : place.top - room.top - card.offsetHeight - 4}px`;
    };

    const found = (event) => event.target.closest?.(".program [data-l], .program [data-i], .program .box");
    root.addEventListener("mouseover", (event) => {
      const target = found(event);
      if (pinned) return;
      if (target) show(event.target, false);
      else clear();
    });
    root.addEventListener("mouseleave", () => { if (!pinned) clear(); });
    root.addEventListener("click", (event) => {
      const target = found(event);
      if (!target && !pinned) return;
      pinned = target && target !== pinned ? target : null;
      if (pinned) show(event.target, true);
      else clear();
    });
    for (const pick of root.querySelectorAll(".pick select")) {
      pick.hidden = pick.options.length < 2;
      pick.addEventListener("change", () => {
        const program = pick.closest(".program"), count = pick.options.length;
        program.querySelectorAll(".h").forEach((each, at) => { each.hidden = at % count !== pick.selectedIndex; });
        program.querySelectorAll(".meaning").forEach((each, at) => { each.hidden = at !== pick.selectedIndex; });
      });
    }
  }
})();
