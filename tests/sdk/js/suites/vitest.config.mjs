export default {
  root: new URL(".", import.meta.url).pathname,
  cacheDir: "../node_modules/.vite",
  test: { include: ["*.vitest.test.mjs"], reporters: ["langsmith/vitest/reporter"] },
};
