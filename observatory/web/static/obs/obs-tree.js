/* The tree of a trace: one tab stop, arrows, Home, End, type-ahead, opening and closing. */
(function () {
  "use strict";
  const rowsOf = (tree) => [...tree.querySelectorAll('[role="treeitem"]')];
  const shownOf = (tree) => rowsOf(tree).filter((row) => !row.hidden);
  const levelOf = (row) => Number(row.getAttribute("aria-level"));

  function below(row) {
    const found = [];
    for (let next = row.nextElementSibling; next && levelOf(next) > levelOf(row); next = next.nextElementSibling)
      found.push(next);
    return found;
  }

  function open(row, isOpen) {
    row.setAttribute("aria-expanded", String(isOpen));
    let closedAt = Infinity;
    for (const child of below(row)) {
      if (levelOf(child) <= closedAt) closedAt = Infinity;
      child.hidden = !isOpen || levelOf(child) > closedAt;
      if (child.getAttribute("aria-expanded") === "false" && levelOf(child) < closedAt) closedAt = levelOf(child);
    }
  }

  function focus(tree, row) {
    if (!row) return;
    for (const other of rowsOf(tree)) other.tabIndex = other === row ? 0 : -1;
    row.focus();
  }

  let typed = "", typedAt = 0;
  document.addEventListener("keydown", (event) => {
    const row = event.target.closest && event.target.closest('[data-tree] [role="treeitem"]');
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const tree = row.closest("[data-tree]"), shown = shownOf(tree), place = shown.indexOf(row);
    const expanded = row.getAttribute("aria-expanded");
    const parent = () => shown.slice(0, place).reverse().find((other) => levelOf(other) < levelOf(row));
    const moves = {
      ArrowDown: () => focus(tree, shown[place + 1]),
      ArrowUp: () => focus(tree, shown[place - 1]),
      Home: () => focus(tree, shown[0]),
      End: () => focus(tree, shown[shown.length - 1]),
      ArrowRight: () => expanded === "false" ? open(row, true) : expanded === "true" && focus(tree, shown[place + 1]),
      ArrowLeft: () => expanded === "true" ? open(row, false) : focus(tree, parent()),
      " ": () => row.click(),
    };
    if (moves[event.key]) {
      event.preventDefault(); event.stopPropagation();
      moves[event.key]();
    }
  }, true);

  document.addEventListener("click", (event) => {
    const twist = event.target.closest && event.target.closest(".tree-twist");
    const row = twist && twist.closest("[aria-expanded]");
    if (row) {
      event.preventDefault(); event.stopPropagation();
      open(row, row.getAttribute("aria-expanded") === "false");
      return;
    }
    const chosen = event.target.closest && event.target.closest('[data-tree] [role="treeitem"]');
    if (!chosen) return;
    const tree = chosen.closest("[data-tree]");
    for (const other of rowsOf(tree)) {
      other.setAttribute("aria-selected", String(other === chosen));
      other.tabIndex = other === chosen ? 0 : -1;
    }
  }, true);
})();
