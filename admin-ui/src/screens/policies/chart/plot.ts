/** The drawing of one signal over the last quarter of an hour: uPlot, told apart so that it comes only with a chart. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Samples } from "./window";
import { WINDOW_S } from "./window";

export interface Frame {
  /** The plotting area within the host, CSS pixels. */
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Plot {
  /** Draws; the highest value stands at the top. */
  draw(samples: Samples, top: number, now_s: number): void;
  end(): void;
}

const HEIGHT_PX = 150;
/** Shortest time that is shown. */
const SHOWN_S_MIN = 120;

/** Colours are those of elements: canvases know nothing of custom properties. */
const colour = (host: HTMLElement, name: string): string => getComputedStyle(host.querySelector(`.${name}`) ?? host).color;

/** A time of day; with seconds where a chart shows so little that minutes would come twice. */
const clock = (s: number, shown_s: number): string =>
  new Date(s * 1_000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", ...(shown_s < 300 ? { second: "2-digit" } : {}), hourCycle: "h23" });

/** `onFrame` is told where the plotting area stands, at first and whenever it moves. */
export function begin(host: HTMLElement, format: (value: number) => string, onFrame: (frame: Frame) => void): Plot {
  let top = 1;
  let now_s = 0;
  let from_s = 0;
  const told = (plot: uPlot) => onFrame({ left: plot.over.offsetLeft, top: plot.over.offsetTop, width: plot.over.clientWidth, height: plot.over.clientHeight });
  const axis = { stroke: () => colour(host, "quiet"), font: "12px system-ui, sans-serif", grid: { stroke: () => colour(host, "line"), width: 1 }, ticks: { show: false } };
  const plot = new uPlot(
    {
      width: Math.max(120, host.clientWidth),
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 6 } },
      scales: { x: { time: true, range: () => [from_s, now_s] }, y: { range: () => [0, top] } },
      axes: [
        { ...axis, size: 28, space: 80, values: (_, at) => at.map((s) => clock(s, now_s - from_s)) },
        { ...axis, size: 52, space: 34, values: (_, values) => values.map(format) },
      ],
      series: [{}, { stroke: () => colour(host, "ink"), width: 1.5, points: { show: false }, spanGaps: false }],
      hooks: { ready: [told], setSize: [told] },
    },
    [[], []],
    host,
  );
  const watched = new ResizeObserver(() => {
    if (host.clientWidth > 0) plot.setSize({ width: host.clientWidth, height: HEIGHT_PX });
  });
  watched.observe(host);
  return {
    draw(samples, most, at_s) {
      top = most;
      now_s = at_s;
      // As much as there is: a chart that was just opened is not an empty quarter of an hour.
      from_s = Math.min(at_s - SHOWN_S_MIN, Math.max(at_s - WINDOW_S, samples.at_s[0] ?? at_s));
      plot.setData([samples.at_s, samples.values]);
    },
    end() {
      watched.disconnect();
      plot.destroy();
    },
  };
}
