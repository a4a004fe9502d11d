/** People who log in with a password; one of each role. */

import { spawnSync } from "node:child_process";
import { BINARY } from "./places";

export const PASSWORD = "correct horse battery staple";

export type Name = "vera" | "ed" | "ada";

/** Settings with the three of them: vera looks, ed changes, ada does all. */
export function users(): string {
  const { stdout, stderr, status } = spawnSync(BINARY, ["hash-password"], { input: `${PASSWORD}\n`, encoding: "utf8" });
  if (status !== 0) throw new Error(`hash-password: ${stderr}`);
  const hash = stdout.trim();
  return `admin:
  users:
    - "vera:viewer:${hash}"
    - "ed:editor:${hash}"
    - "ada:admin:${hash}"
`;
}
