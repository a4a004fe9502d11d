import { expect, it } from "vitest";
import { Api, ApiFailure, type Fetch } from "./client";

interface Call {
  path: string;
  init: RequestInit;
}

/** An API whose answers come from the test, and what it was asked. */
function api(answer: (call: Call) => Response | Promise<Response>): { api: Api; calls: Call[] } {
  const calls: Call[] = [];
  const fetch: Fetch = async (path, init) => {
    const call = { path, init };
    calls.push(call);
    return answer(call);
  };
  return { api: new Api(fetch), calls };
}

const json = (body: unknown, init?: ResponseInit) => new Response(JSON.stringify(body), init);
const header = (call: Call, name: string) => new Headers(call.init.headers).get(name);

it("sends no token: the cookie is the browser's own", async () => {
  const { api: gateway, calls } = api(() => json({ version: "1" }));
  await gateway.status();
  expect(header(calls[0]!, "authorization")).toBeNull();
  expect(calls[0]!.init.credentials).toBe("same-origin");
});

it("writes with the tag that was read, the reason and the time", async () => {
  const { api: gateway, calls } = api(() => json({ file: "a.yaml", revision: 3 }, { headers: { etag: '"new"' } }));
  const written = await gateway.save("a.yaml", "version: 1\n", { etag: '"old"', reason: "밤 배치 50%", revertAfter: "30m" });
  expect(written).toEqual({ file: "a.yaml", revision: 3, etag: '"new"' });
  const [call] = calls;
  expect(call!.path).toBe("/api/v1/policies/a.yaml");
  expect(call!.init.body).toBe("version: 1\n");
  expect(header(call!, "content-type")).toBe("application/yaml");
  expect(header(call!, "if-match")).toBe('"old"');
  expect(header(call!, "x-revert-after")).toBe("30m");
  const bytes = Uint8Array.from(header(call!, "x-change-reason")!, (sign) => sign.charCodeAt(0));
  expect(new TextDecoder().decode(bytes)).toBe("밤 배치 50%");
  await gateway.save("b.yaml", "", { etag: null, reason: "" });
  expect(header(calls[1]!, "if-none-match")).toBe("*");
  expect(header(calls[1]!, "if-match")).toBeNull();
});

it("says what kind of failure it was, with the code, the problems and the present tag", async () => {
  const problem = { file: "a.yaml", line: 2, column: 3, message: "no", help: "yes" };
  const body = { detail: "the policy would have problems", code: "policy_problems", problems: [problem] };
  const failed = async (answer: () => Response | Promise<Response>) => {
    const failure: unknown = await api(answer).api.status().catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(ApiFailure);
    return failure as ApiFailure;
  };
  const refused = await failed(() => json(body, { status: 422, headers: { etag: '"now"' } }));
  expect([refused.kind, refused.status, refused.code, refused.message]).toEqual(["refused", 422, "policy_problems", body.detail]);
  expect([refused.problems, refused.etag]).toEqual([[problem], '"now"']);
  expect((await failed(() => new Response("", { status: 401 }))).kind).toBe("unauthorized");
  expect((await failed(() => new Response("x", { status: 502, statusText: "Bad Gateway" }))).message).toBe("502 Bad Gateway");
  expect((await failed(() => new Response("no json"))).kind).toBe("malformed");
  expect((await failed(() => Promise.reject(new TypeError("gone")))).kind).toBe("unreachable");
});
