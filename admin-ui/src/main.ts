import { mount } from "svelte";
import App from "./App.svelte";
import { session, takeLogin } from "./api/session";
import "./app.css";
import { language } from "./i18n/language.svelte";

const tab = session(sessionStorage);
takeLogin(tab, location, history);
language.begin();

const target = document.getElementById("app");
if (target) mount(App, { target, props: { session: tab } });
