/**
 * How far one distribution over the vocabulary is from another, in nats: KL(p || q) = sum of p_i (ln p_i - ln q_i), p and q
 * being the softmax of the logits (Kullback and Leibler 1951). All of the vocabulary is summed over, in double precision; 0
 * where both are the same, and never below.
 */
export function klDivergence(p: ArrayLike<number>, q: ArrayLike<number>): number {
  if (p.length !== q.length) throw new RangeError(`distributions over ${p.length} and ${q.length} tokens`);
  const [ofP, ofQ] = [logPartition(p), logPartition(q)];
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    const logP = p[i]! - ofP;
    // What never happens tells nothing, also where its logit is -Infinity.
    if (logP !== -Infinity) sum += Math.exp(logP) * (logP - (q[i]! - ofQ));
  }
  return Number.isNaN(sum) ? NaN : Math.max(0, sum);
}

function logPartition(logits: ArrayLike<number>): number {
  let max = -Infinity;
  for (let i = 0; i < logits.length; i++) max = Math.max(max, logits[i]!);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - max);
  return max + Math.log(sum);
}
