// The numbers that every place is to give for test/runtimes/conformance.js, in float64; backends of float32 come near.

import { expect } from "vitest";

const near = (value: number): unknown => expect.closeTo(value, 5);

const gradLogits = [
  0.6912638545, 1.6035778522, -3.0908753872, 0.79603374, 0.6375018358, 0.5208360553, 1.0275619029, -2.1858997345, 0, 0,
  0, 0, -0.4185397923, -1.0895411968, -1.9274483914, 3.435529232, -1.3032275438, -0.6645466089, 3.9868185521,
  -2.0190446377, 0, 0, 0, 0,
];

/** The report of a backend of this name. */
export const conforming = (name: string, reason: RegExp = /./): unknown => ({
  name,
  reason: expect.stringMatching(reason),
  loss: near(0.6876270694),
  gradChosen: [near(-0.0232528541), near(-0.0263736155)],
  gradRejected: [near(0.0232528541), near(0.0263736155)],
  accuracy: 0.5,
  logps: [near(-1.6364882108), near(-3.0225054064)],
  logitsLoss: expect.closeTo(23.1071663406, 4),
  gradLogits: gradLogits.map(near),
  large: near(Math.LN2),
  refused: {
    name: "ShapeError",
    code: "wrong-length",
    message: "policyRejected: expected 1 values (pairs), got 2",
  },
  disposed: "disposed",
});
