/* Begins: reads the data, sets up the controls, draws, and, in a page served while a search runs, fetches the data anew.
 * SPDX-License-Identifier: Apache-2.0 */

/* What is shown (page) and how the reader wants it (view).  Drawing again with other data leaves the view as it is. */
const page = { studies: [], study: null, families: [], aspects: [], version: "" };
const view = {
  study: 0, hidden: new Set(), hiddenStudies: new Set(), cost: "ms", bestOnly: false, glance: "rows", rows: "", colour: "", heatX: "", heatY: "", heat: "best",
  curve: "mean_iou", curveSet: "", curveLog: false, curveSmooth: false, pinned: null, find: "", state: "", allNetworks: false,
};
const isShown = (t) => !view.hidden.has(t.family);

const load = (data) => {
  page.version = data.version;
  page.studies = data.studies.map((raw, i) => new Study(raw, i));
  const twice = page.studies.map((s) => s.name).filter((name, i, all) => all.indexOf(name) !== i);
  for (const s of page.studies) if (twice.includes(s.name)) s.name = s.path;
  page.study = page.studies[Math.min(view.study, page.studies.length - 1)];
  const families = familiesOf(page.studies.flatMap((s) => s.networks.map((n) => n.model).concat(s.trials.map((t) => t.model))));
  for (const s of page.studies) for (const t of s.trials) t.family = families.get(t.model);
  /* The families in the order of their best trial keep the first colours for what matters; with live data they keep their places. */
  const ranked = page.studies.flatMap((s) => s.trials.map((t) => t.family));
  page.families = unique([...page.families.filter((f) => ranked.includes(f)), ...unique(ranked).sort()]);
  if (view.pinned) view.pinned = page.studies.flatMap((s) => s.trials).find((t) => t.id === view.pinned.id && t.study.index === view.pinned.study.index) || null;
};

// --- filters that all charts share --------------------------------------------------------------------------------------

const drawFamilyChips = () => {
  const counts = groupBy(page.study.trials, (t) => t.family), isAll = view.hidden.size === 0;
  for (const box of document.querySelectorAll("[data-families]")) {
    const focused = box.contains(document.activeElement) ? [...box.children].indexOf(document.activeElement) : -1;
    const chips = page.families.map((f, i) => el("button", {
      type: "button", class: "chip", "aria-pressed": String(!view.hidden.has(f)), title: "Shows or hides the family; with Alt, Ctrl or Shift shows it alone",
      onclick: (e) => {
        if (e.altKey || e.ctrlKey || e.shiftKey || e.metaKey) view.hidden = new Set(page.families.filter((o) => o !== f));
        else if (!view.hidden.delete(f)) view.hidden.add(f);
        redraw();
      },
    }, swatchOf(i), f, el("small", {}, thousands((counts.get(f) || []).length))));
    if (page.families.length > 1) chips.push(el("button", { type: "button", class: "chip is-plain", onclick: () => { view.hidden = isAll ? new Set(page.families) : new Set(); redraw(); } }, isAll ? "None" : "All"));
    box.replaceChildren(...chips);
    if (focused >= 0 && box.children[focused]) box.children[focused].focus({ preventScroll: true });
  }
};
const chooseStudy = (i) => { view.study = i; page.study = page.studies[i]; redraw(); };

// --- drawing ------------------------------------------------------------------------------------------------------------

const scatterChart = new Chart($("scatter"), describeScatter);
const glanceChart = new Chart($("glance-chart"), describeGlance);
const heatChart = new Chart($("heat"), describeHeat);
const curveChart = new Chart($("curve-chart"), describeCurves);

const drawNavigation = () => {
  $("study-field").hidden = page.studies.length < 2;
  options($("study"), page.studies.map((s) => [s.index, s.name]), page.study.index);
  const shown = [...document.querySelectorAll("section[data-nav]")].filter((s) => !s.hidden), key = shown.map((s) => s.id).join();
  if ($("nav").dataset.key === key) return;
  $("nav").dataset.key = key;
  $("nav").replaceChildren(...shown.map((s) => el("a", { href: "#" + s.id }, s.dataset.nav)));
};
const redraw = () => {
  drawFamilyChips();
  for (const draw of [drawSummary, drawStudies, drawTradeoff, drawGlance, drawFunnel, drawImportance, drawHeat, drawNetworks, drawCurves, drawTable, drawWinner, drawMethod, drawCommands, drawNavigation]) draw();
  scatterChart.draw();
  $("foot").textContent = `Made by Gannet ${page.version} from ${listed(page.studies.map((s) => s.path))}. This file is complete in itself and loads nothing.`;
};

// --- light and dark, paper ----------------------------------------------------------------------------------------------

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const setTheme = (name, isNow) => {
  document.documentElement.dataset.theme = name;
  $("theme").setAttribute("aria-pressed", String(name === "dark"));
  inkCache = new Map();
  redraw(); /* keys and cells have colours of the theme, too */
  if (isNow) drawAllCharts(true);
};
let themeBeforePrint = "";
addEventListener("beforeprint", () => { themeBeforePrint = document.documentElement.dataset.theme; setPaper(true); setTheme("light", true); showRows([0, Math.min(PRINTED, table.list.length)]); table.after.hidden = true; });
addEventListener("afterprint", () => { setPaper(false); setTheme(themeBeforePrint, true); drawTable(); });

// --- live ---------------------------------------------------------------------------------------------------------------

const LIVE_URL = JSON.parse($("live-url").textContent);
const LIVE_EVERY_MS = 3000;
let lastText = "";
const fetchAgain = async () => {
  let text = null;
  try {
    const answer = await fetch(LIVE_URL, { cache: "no-store" });
    text = answer.ok ? await answer.text() : null;
  } catch (_) { /* the server may be back later */ }
  const clock = new Date().toTimeString().slice(0, 8);
  $("live").textContent = text === null ? `not reached since ${clock}` : "live, " + clock;
  $("live").classList.toggle("is-lost", text === null);
  if (text !== null && text !== lastText) {
    lastText = text;
    load(JSON.parse(text));
    redraw();
  }
  setTimeout(fetchAgain, LIVE_EVERY_MS);
};

// --- beginning ----------------------------------------------------------------------------------------------------------

const onChoice = (id, name) => $(id).addEventListener("change", (e) => { view[name] = e.target.type === "checkbox" ? e.target.checked : e.target.value; redraw(); });
for (const [id, name] of [["best-only", "bestOnly"], ["glance-rows", "rows"], ["glance-colour", "colour"], ["heat-x", "heatX"], ["heat-y", "heatY"], ["heat-value", "heat"], ["curve-set", "curveSet"], ["curve-log", "curveLog"], ["curve-smooth", "curveSmooth"]]) onChoice(id, name);
$("trial-state").addEventListener("change", (e) => { view.state = e.target.value; drawTable(); });
$("trial-filter").addEventListener("input", (e) => { view.find = e.target.value; $("trial-scroll").scrollTop = 0; drawTable(); });
$("trial-scroll").addEventListener("scroll", () => showRows(), { passive: true });
$("study").addEventListener("change", (e) => chooseStudy(Number(e.target.value)));
$("trial-close").addEventListener("click", () => $("trial").close());
$("trial").addEventListener("click", (e) => { if (e.target === $("trial")) $("trial").close(); });
$("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
prefersDark.addEventListener("change", (e) => setTheme(e.matches ? "dark" : "light"));

load(JSON.parse($("data").textContent));
setTheme(prefersDark.matches ? "dark" : "light");
if (LIVE_URL !== null) {
  $("live").hidden = false;
  $("live").textContent = "live";
  setTimeout(fetchAgain, LIVE_EVERY_MS);
}
