// node --import ./year-old.mjs ../js/feedback.mjs: the program, unchanged, with the SDK of this
// directory in place of its own.
import { register } from "node:module";

register("./resolve.mjs", import.meta.url);
