import { beforeEach, expect, it } from "vitest";
import { session, takeLogin, tokenIn } from "./session";

const TOKEN = "Zm9vYmFyYmF6cXV4Zm9vYmFy";

beforeEach(() => sessionStorage.clear());

it("finds a token in a login link's fragment and nothing in others", () => {
  expect(tokenIn(`#token=${TOKEN}`)).toBe(TOKEN);
  expect(tokenIn(`#other=1&token=${TOKEN}`)).toBe(TOKEN);
  for (const fragment of ["", "#", "#token=", "#token=short", "#token=with%20space%20and%20more", `#toke=${TOKEN}`]) {
    expect(tokenIn(fragment)).toBeNull();
  }
});

it("keeps the token for the tab and takes it out of the address", () => {
  const tab = session(sessionStorage);
  history.replaceState(null, "", `/login#token=${TOKEN}`);
  takeLogin(tab, location, history);
  expect(tab.token()).toBe(TOKEN);
  expect(location.href).not.toContain(TOKEN);
  expect(location.pathname).toBe("/");
  tab.forget();
  expect(tab.token()).toBeNull();
});

it("leaves the address and an earlier login alone without a token in the link", () => {
  const tab = session(sessionStorage);
  tab.keep(TOKEN);
  history.replaceState(null, "", "/?lang=ko#somewhere");
  takeLogin(tab, location, history);
  expect(tab.token()).toBe(TOKEN);
  expect(location.href).toContain("#somewhere");
});
