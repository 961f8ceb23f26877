import { expect, it } from "vitest";
import { signTest } from "../../metrics/sign-test.ts";

// The first five by hand; then exact integers: sum(math.comb(n, k) for k in range(losses, n + 1)) / 2**n in Python
it.each([
  [0, 0, 1],
  [1, 0, 0.5],
  [5, 0, 1 / 32],
  [6, 0, 1 / 64],
  [0, 6, 1],
  [20, 9, 0.03071417286992073],
  [40, 5, 3.9391920836351346e-8],
])("%d losses, %d wins", (losses, wins, p) => {
  expect(signTest(losses, wins) / p).toBeCloseTo(1, 6);
});

it("of thousands of docs does not underflow", () => {
  expect(signTest(2500, 2500)).toBeCloseTo(0.5056, 3);
  expect(signTest(5000, 0)).toBe(0);
});
