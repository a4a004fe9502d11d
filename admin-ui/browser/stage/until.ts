/** Waiting for something outside the page. */

/** Pause between two looks. */
const PAUSE_MS = 20;

/** Longest wait: a bound for a busy machine. */
const DEADLINE_MS = 30_000;

/** Asks until there is an answer that is neither null nor undefined nor false; says what it waited for if there is none. */
export async function until<T>(what: string, ask: () => T | Promise<T>): Promise<NonNullable<T>> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await new Promise((wake) => setTimeout(wake, PAUSE_MS));
  }
}
