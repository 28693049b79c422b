/* The tree of a trace: one tab stop, arrows, Home, End, opening and closing. */
const rowsOf = (tree) => [...tree.querySelectorAll('[role="treeitem"]')];
const visibleRowsOf = (tree) => rowsOf(tree).filter((row) => !row.hidden);
const levelOf = (row) => Number(row.getAttribute("aria-level"));
const treeRowOf = (target) => target.closest?.('[data-tree] [role="treeitem"]');

function descendantsOf(row) {
  const rows = [];
  let next = row.nextElementSibling;
  while (next && levelOf(next) > levelOf(row)) {
    rows.push(next);
    next = next.nextElementSibling;
  }
  return rows;
}

/* Open or close a row; what was closed below it stays closed. */
function open(row, isOpen) {
  row.setAttribute("aria-expanded", String(isOpen));
  let closedAt = Infinity;
  for (const child of descendantsOf(row)) {
    const level = levelOf(child);
    if (level <= closedAt) closedAt = Infinity;
    child.hidden = !isOpen || level > closedAt;
    if (child.getAttribute("aria-expanded") === "false" && level < closedAt) closedAt = level;
  }
}

/* Make a row the tree's one tab stop. */
function makeTabStop(tree, row) {
  for (const other of rowsOf(tree)) other.tabIndex = other === row ? 0 : -1;
}

function focus(tree, row) {
  if (!row) return;
  makeTabStop(tree, row);
  row.focus();
}

function openOrEnter(tree, row, below) {
  const expanded = row.getAttribute("aria-expanded");
  if (expanded === "false") open(row, true);
  else if (expanded === "true") focus(tree, below);
}

function closeOrLeave(tree, row, above) {
  if (row.getAttribute("aria-expanded") === "true") open(row, false);
  else focus(tree, above.reverse().find((other) => levelOf(other) < levelOf(row)));
}

document.addEventListener("keydown", (event) => {
  const row = treeRowOf(event.target);
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  const tree = row.closest("[data-tree]"), rows = visibleRowsOf(tree), place = rows.indexOf(row);
  const moves = {
    ArrowDown: () => focus(tree, rows[place + 1]),
    ArrowUp: () => focus(tree, rows[place - 1]),
    Home: () => focus(tree, rows[0]),
    End: () => focus(tree, rows.at(-1)),
    ArrowRight: () => openOrEnter(tree, row, rows[place + 1]),
    ArrowLeft: () => closeOrLeave(tree, row, rows.slice(0, place)),
    " ": () => row.click(),
  };
  if (!Object.hasOwn(moves, event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  moves[event.key]();
}, true);

document.addEventListener("click", (event) => {
  const twist = event.target.closest?.(".tree-twist"), parent = twist?.closest("[aria-expanded]");
  if (parent) {
    event.preventDefault();
    event.stopPropagation();
    open(parent, parent.getAttribute("aria-expanded") === "false");
    return;
  }
  const row = treeRowOf(event.target);
  if (!row) return;
  const tree = row.closest("[data-tree]");
  for (const other of rowsOf(tree)) other.setAttribute("aria-selected", String(other === row));
  makeTabStop(tree, row);
}, true);
