import * as ls from "langsmith/vitest";
import { expect } from "vitest";

import { describeSquares } from "./squares.cjs";

describeSquares(ls, expect);
