/** Traces: one refused call is found, and says why; a trace leads on to other tools. */

import { readFileSync } from "node:fs";
import { mail, tight } from "./stage/policies";
import { expect, test } from "./stage/test";
import { until } from "./stage/until";

test("a call that was refused for its rate is found, with the decision and the time it took", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "feed.yaml": tight(upstream.url), "mail.yaml": mail(upstream.url) } });
  await open(gateway, "/traces");
  await expect(page.getByText("No call was refused, slow or failed yet")).toBeVisible();
  await gateway.calls(4, "/feed/letters");
  await gateway.call("/nowhere");
  const calls = page.getByRole("navigation", { name: "Recent calls" }).getByRole("listitem");
  await expect(calls.filter({ hasText: "/nowhere" })).toContainText("404");
  const refused = calls.filter({ hasText: "/feed/letters" }).filter({ hasText: "429" });
  await expect(refused.first()).toContainText("requests per second are used up");

  await page.getByLabel("Kept because").selectOption("refused");
  await page.getByLabel("Status").fill("429");
  await page.getByLabel("Status").press("Enter");
  await expect(page).toHaveURL(`${gateway.admin}/traces?kind=refused&status=429`);
  await expect(calls.filter({ hasText: "/nowhere" })).toHaveCount(0);
  await refused.first().getByRole("link").click();
  await expect(page).toHaveURL(/\/traces\/[0-9a-f]{32}\?kind=refused&status=429$/);

  const card = page.getByRole("region", { name: "Refused: requests per second are used up" });
  await expect(card).toContainText(/requests per second [\d.]+ (>|of) 1/);
  await expect(card.getByRole("link", { name: "feed.yaml" })).toHaveAttribute("href", "/policies?file=feed.yaml");
  await expect(card.getByRole("link", { name: "revision 1" })).toHaveAttribute("href", "/history/1");
  await expect(card).toContainText("bulk");
  await expect(card).toContainText(/come back in \d+\.\d s/);
  const spans = page.getByRole("region", { name: "Where the time went" }).getByRole("row");
  await expect(spans).toHaveCount(2); // the head and the gateway's own: the upstream was spared
  await expect(spans.last()).toContainText("GET feed");
  await expect(spans.last()).toContainText("429");
  await card.getByRole("link", { name: "feed.yaml" }).click();
  await expect(page.getByLabel("Calls per second")).toHaveValue("1");
});

test("a call that was refused for busy workers names them and their upstream", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  upstream.load = { busy: 20, max: 20, cpu: 0.9 };
  const trace = await until("a refusal", async () => {
    const answer = await fetch(`${gateway.data}/mail/receive/1`, { method: "POST" });
    const said = (await answer.json()) as { code?: string; trace_id?: string };
    return said.code === "workers_over" && said.trace_id;
  });
  await open(gateway, `/traces/${trace}`);
  const card = page.getByRole("region", { name: "Refused: the workers are over their threshold" });
  await expect(card).toContainText(/workers \d+(\.\d)?% > 85% on mailbox/);
  await expect(card).toContainText("mail.yaml, revision 1");
});

test("a caller's trace goes on here, is copied on and downloaded", async ({ page, context, upstream, start, open }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const gateway = await start({
    policies: { "mail.yaml": mail(upstream.url) },
    settings: "traces: { link: 'http://127.0.0.1:16686/trace/{trace_id}' }\n",
  });
  const id = "0af7651916cd43dd8448eb211c80319c";
  await gateway.call("/mail/read/7", { headers: { traceparent: `00-${id}-b7ad6b7169203331-01` } });
  await open(gateway, `/traces/${id}`);
  const spans = page.getByRole("region", { name: "Where the time went" }).getByRole("row");
  await expect(spans).toHaveCount(3);
  await expect(spans.nth(1)).toContainText("GET mail-read");
  await expect(spans.nth(2)).toContainText(new URL(upstream.url).host);
  await expect(page.getByRole("link", { name: "Open in the tracing tool" })).toHaveAttribute("href", `http://127.0.0.1:16686/trace/${id}`);

  await page.getByRole("button", { name: "Copy traceparent" }).click();
  await expect(page.getByRole("status").filter({ hasText: "traceparent copied." })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(new RegExp(`^00-${id}-[0-9a-f]{16}-01$`));

  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download OTLP JSON" }).click()]);
  expect(download.suggestedFilename()).toBe(`trace-${id}.json`);
  const document = JSON.parse(readFileSync(await download.path(), "utf8")) as { resourceSpans: { scopeSpans: { spans: { traceId: string; parentSpanId: string; kind: number }[] }[] }[] };
  const written = document.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
  expect(written.map(({ traceId }) => traceId)).toEqual([id, id]);
  expect(written.find(({ kind }) => kind === 2)?.parentSpanId).toBe("b7ad6b7169203331");
});

test("a call that the cache saw says why the service was asked", async ({ page, upstream, start, open }) => {
  const gateway = await start({ policies: { "mail.yaml": mail(upstream.url) } });
  const sampled = (id: string) => ({ headers: { traceparent: `00-${id}-b7ad6b7169203331-01` } });
  await gateway.call("/mail/list/1", sampled("1".repeat(32)));
  await gateway.call("/mail/list/1", sampled("2".repeat(32)));
  await open(gateway, "/traces");
  const calls = page.getByRole("navigation", { name: "Recent calls" }).getByRole("listitem").filter({ hasText: "/mail/list/1" });
  await expect(calls).toHaveCount(2);
  await expect(calls.first()).toContainText(/· hit\s*$/);
  await expect(calls.last()).toContainText("· miss (uri-miss)");
});

test("a trace that is not kept says so", async ({ page, start, open }) => {
  const gateway = await start();
  await gateway.call("/anything");
  await open(gateway, `/traces/${"1".repeat(32)}`);
  await expect(page.getByText("This trace is not kept any more")).toBeVisible();
});
