/* Compares two texts off the page's thread. The page ends it when it takes too long. */
"use strict";
onmessage = (event) => {
  const { library, id, before, after, unit } = event.data;
  if (library && !self.Diff) importScripts(library);
  if (id === undefined) return;
  postMessage({ id, began: true }); // the page gives up some time after this, not after asking
  const compare = unit === "line" ? self.Diff.diffLines : self.Diff.diffWordsWithSpace;
  const parts = compare(before, after).map((part) => ({
    kind: part.added ? "insert" : part.removed ? "delete" : "equal",
    text: part.value,
  }));
  postMessage({ id, unit, parts });
};
