import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { language } from "./i18n/language.svelte";
import { theme } from "./lib/theme.svelte";

language.begin();
theme.begin();

const target = document.getElementById("app");
if (target) mount(App, { target });
