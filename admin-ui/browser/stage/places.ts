/** Where things are: the binary, the browser, the built page, and the folder of what the tests leave behind. */

import { existsSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

const UI = resolve(import.meta.dirname, "../..");
const TARGET = resolve(UI, "..", process.env["CARGO_TARGET_DIR"] ?? "target");

/** The gateway's binary: the one that the other tests use, or the debug build beside this. */
export const BINARY = process.env["SUMUN_BIN"] ?? `${TARGET}/debug/sumun`;

/** Screenshots, the report, what is left of failures. */
export const OUT = `${TARGET}/browser`;

/** The page as it is built. */
export const DIST = `${UI}/dist`;

const folders = (process.env["PATH"] ?? "").split(delimiter);
const browsers = ["chromium", "chromium-browser", "google-chrome"].flatMap((name) => folders.map((folder) => join(folder, name)));

/** The browser: the one that is named, or the first in the path. */
export const CHROMIUM = process.env["SUMUN_CHROMIUM"] ?? browsers.find(existsSync) ?? "chromium";
