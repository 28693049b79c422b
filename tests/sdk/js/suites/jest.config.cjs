module.exports = {
  rootDir: __dirname,
  testMatch: ["<rootDir>/*.jest.test.cjs"],
  transform: {},
  reporters: ["langsmith/jest/reporter"],
};
