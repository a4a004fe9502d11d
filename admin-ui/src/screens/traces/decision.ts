/** What a span says of its decision. */

import type { OtlpSpan } from "../../api/types";
import { attribute, figure } from "./waterfall";

export interface Decision {
  spanId: string;
  route: string | null;
  /** `refuse`, `stale`, `admit` (what came behind the gate failed) or `none`. */
  decision: string;
  reason: string;
  /** Whether it was only counted. */
  shadow: boolean;
  signal: string | null;
  observed: number | null;
  threshold: number | null;
  upstream: string | null;
  policy_file: string | null;
  revision: number | null;
  retry_after_ms: number | null;
  caller: string | null;
  class: string | null;
  function: string | null;
}

/** The decision of a call that was refused, would have been, or was answered for its upstream; null: there is nothing to say. */
export function decision(span: OtlpSpan): Decision | null {
  const reason = attribute(span, "sumun.reason");
  if (reason === null) return null;
  return {
    spanId: span.spanId,
    route: attribute(span, "http.route"),
    decision: attribute(span, "sumun.decision") ?? "none",
    reason,
    shadow: attribute(span, "sumun.mode") === "shadow",
    signal: attribute(span, "sumun.signal"),
    observed: figure(span, "sumun.observed"),
    threshold: figure(span, "sumun.threshold"),
    upstream: attribute(span, "sumun.upstream"),
    policy_file: attribute(span, "sumun.policy.file"),
    revision: figure(span, "sumun.policy.revision"),
    retry_after_ms: figure(span, "sumun.retry_after_ms"),
    caller: attribute(span, "sumun.caller"),
    class: attribute(span, "sumun.class"),
    function: attribute(span, "sumun.function"),
  };
}

/** A signal's figure as people read it: shares as a percentage, rates and slots as they are. */
export function reading(signal: string, value: number, language: string): string {
  if (signal === "rps" || signal === "concurrency") {
    return new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(value);
  }
  return new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 }).format(value);
}

/** Seconds with one decimal, rounded up: who comes back too soon is refused again. */
export function seconds(ms: number, language: string): string {
  const format = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  return new Intl.NumberFormat(language, format).format(Math.ceil(ms / 100) / 10);
}
