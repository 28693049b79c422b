const ls = require("langsmith/jest");

require("./squares.cjs").describeSquares(ls, expect);
