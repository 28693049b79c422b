// A team's suite: what both plugins offer. Two cases pass, the last one fails.
async function squared({ n }) {
  return { square: n === 4 ? 15 : n * n };
}

function exact({ outputs, referenceOutputs }) {
  return { key: "exact", score: outputs.square === referenceOutputs.square ? 1 : 0 };
}

exports.describeSquares = (ls, expect) => {
  ls.describe(
    process.env.SUITE,
    () => {
      ls.test(
        "of two",
        {
          inputs: { n: 2 },
          referenceOutputs: { square: 4 },
          metadata: { kind: "even" },
          split: "small",
        },
        async ({ inputs, referenceOutputs }) => {
          const answer = await squared(inputs);
          ls.logOutputs(answer);
          ls.logFeedback({ key: "distance", score: 0.25, comment: "close" });
          expect(answer).toEqual(referenceOutputs);
        },
      );
      ls.test.each([{ inputs: { n: 3 }, referenceOutputs: { square: 9 } }])(
        "of an odd number",
        async ({ inputs }) => {
          const answer = await squared(inputs);
          await ls.expect(answer).evaluatedBy(exact).toBe(1);
          return answer;
        },
      );
      ls.test(
        "of four",
        { inputs: { n: 4 }, referenceOutputs: { square: 16 }, config: { repetitions: 2 } },
        async ({ inputs, referenceOutputs }) => {
          const answer = await squared(inputs);
          ls.logOutputs(answer);
          expect(answer).toEqual(referenceOutputs);
        },
      );
    },
    { metadata: { model: "m1" } },
  );
};
