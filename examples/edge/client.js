// node client.js [URL]: pairs as JSON, their loss and gradients back.

const url = process.argv[2] ?? "http://localhost:8000";
const pairs = {
  policyChosen: [-12.1, -30.5], // log-probs of the completions, summed over tokens
  policyRejected: [-14.8, -28.9],
  referenceChosen: [-12.9, -30.1],
  referenceRejected: [-14.2, -29.6],
};
const response = await fetch(`${url}/v1/pair-loss`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ ...pairs, lossType: "sigmoid", beta: 0.1 }),
});
const result = await response.json();
if (!response.ok) throw new Error(`${result.field}: ${result.detail}`);
console.log(result.loss, result.gradChosen); // 0.6876…
