/* This tab's connection to the server: its name, whether the server knows the user, and why it
   refuses what is sent. */
import { read, write } from "../core/outbox.js";

/* Refusals that would be the same the next time. */
const REFUSALS = {
  400: "the server did not understand it.",
  403: "you may not review here any more.",
  404: "this item is no longer here.",
  410: "this item is no longer here.",
};

export const connection = { signedOut: "" }; // why the server did not know the user last time

/* Return {status, reason} of an answer that is not OK; without a reason it may be sent again. */
export async function refusalOf(answer) {
  const { status } = answer, isStale = answer.headers.has("X-Obs-Token");
  const text = await answer.text();
  if (status === 401) {
    connection.signedOut = answer.headers.has("X-Obs-Sign-In") ? text : "you are signed out.";
  }
  const isFinal = status === 422 || status === 409;
  return { status, reason: isFinal ? text : (!isStale && REFUSALS[status]) || "" };
}

/* The name of this tab as a writer of drafts. The server tells its own texts from those of another
   tab by it. It is handed over at a reload only: a duplicate of the tab is another writer. */
const TAB_KEY = "obs:tab";
const newName = () =>
  [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("");

export const tab = read(TAB_KEY) || newName();
write(TAB_KEY, null);
window.addEventListener("pagehide", () => write(TAB_KEY, tab));
