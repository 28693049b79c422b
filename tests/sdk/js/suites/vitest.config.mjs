export default {
  root: import.meta.dirname ?? new URL(".", import.meta.url).pathname,
  test: { include: ["*.vitest.test.mjs"], reporters: ["langsmith/vitest/reporter"] },
};
