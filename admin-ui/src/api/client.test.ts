import { expect, it } from "vitest";
import { ApiFailure, connect, type Fetch } from "./client";

function answering(status: number, body: string): { api: ReturnType<typeof connect>; asked: [string, RequestInit][] } {
  const asked: [string, RequestInit][] = [];
  const fetch: Fetch = async (input, init) => {
    asked.push([input, init]);
    return new Response(body, { status });
  };
  return { api: connect("a-token-of-a-test", fetch), asked };
}

async function failure(call: Promise<unknown>): Promise<ApiFailure> {
  return call.then(
    () => expect.unreachable("the call succeeded"),
    (failure: ApiFailure) => failure,
  );
}

it("asks with the token and gives what was answered", async () => {
  const { api, asked } = answering(200, '{"routes":[]}');
  expect(await api.routes()).toEqual({ routes: [] });
  const [path, init] = asked[0]!;
  expect(path).toBe("/api/v1/routes");
  expect(new Headers(init.headers).get("authorization")).toBe("Bearer a-token-of-a-test");
  expect(init.cache).toBe("no-store");
});

it("tells an unknown token from other refusals", async () => {
  expect(await failure(answering(401, "").api.status())).toMatchObject({ kind: "unauthorized", status: 401 });
  expect(await failure(answering(503, '{"title":"draining","detail":"the gateway is draining"}').api.status())).toMatchObject({
    kind: "refused",
    message: "the gateway is draining",
  });
  expect((await failure(answering(500, "<html>").api.status())).message).toMatch(/^500/);
});

it("says when the gateway does not answer or not in JSON", async () => {
  const api = connect("a-token-of-a-test", () => Promise.reject(new TypeError("network")));
  expect(await failure(api.functions())).toMatchObject({ kind: "unreachable", status: null });
  expect(await failure(answering(200, "<html>").api.routes())).toMatchObject({ kind: "malformed" });
});
