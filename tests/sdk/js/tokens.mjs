// Presigned tokens: made on the server side, redeemed by a page that has no key.
import { all, client, print, traced } from "./observed.mjs";

const runId = await traced("chat", { message: "hello" }, { message: "hi" });

const week = await client.createPresignedFeedbackToken(runId, "user_rating", {
  expiration: { days: 7 },
});
const stars = await client.createPresignedFeedbackToken(runId, "quality_rating", {
  expiration: { days: 7 },
  feedbackConfig: { type: "continuous", min: 1, max: 5 },
});
const hour = await client.createPresignedFeedbackToken(runId, "correctness", {
  expiration: { hours: 1 },
});
const usual = await client.createPresignedFeedbackToken(runId, "helpfulness");
const until = await client.createPresignedFeedbackToken(runId, "rating", {
  expiration: new Date(Date.now() + 30 * 86_400_000).toISOString(),
});
const past = await client.createPresignedFeedbackToken(runId, "past", {
  expiration: "2024-12-31T23:59:59Z",
});

/** As the page of the first seed does it. */
async function submitFeedback(feedbackUrl, body) {
  const answer = await fetch(feedbackUrl, {
    method: "POST",
    headers: { "Content-Type": "application/json", Origin: "https://app.example" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, cors: answer.headers.get("access-control-allow-origin") };
}

const redeemed = {
  first: await submitFeedback(week.url, { score: 1, comment: "thanks" }),
  again: await submitFeedback(week.url, { score: 0, comment: "changed my mind" }),
  onScale: await submitFeedback(stars.url, { score: 4 }),
  offScale: await submitFeedback(stars.url, { score: 6 }),
  byLink: { status: (await fetch(`${hour.url}?score=1&comment=by%20mail`)).status },
  expired: await submitFeedback(past.url, { score: 1 }),
  unknown: await submitFeedback(
    week.url.replace(/[^/]+$/, "0198c0de-0000-4000-8000-000000000000"),
    { score: 1 },
  ),
};

await client.awaitPendingTraceBatches();
print({
  runId,
  tokens: { week, stars, hour, usual, until, past },
  redeemed,
  listed: await all(client.listPresignedFeedbackTokens(runId)),
  feedback: await all(client.listFeedback({ runIds: [runId] })),
});
