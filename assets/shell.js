// What belongs to the browser: which page is open, theme, keys, dialogs, and noticing that the server is gone.
(() => {
  "use strict";
  const STEPS = ["home", "docs", "find", "ask", "mix", "train", "chat", "verdict", "share"];
  const root = document.documentElement;
  const recall = (store, key, other) => { try { return store.getItem(key) ?? other; } catch { return other; } };
  const keep = (store, key, value) => { try { store.setItem(key, value); } catch { /* private window */ } };

  // Theme: ours is on <html>, Gradio's on <body>; Gradio sets its own on load, so it is watched and put right.
  const wanted = () => recall(localStorage, "ragtune-theme",
    matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const dress = () => {
    const dark = wanted() === "dark";
    root.classList.toggle("dark", dark);
    root.style.colorScheme = dark ? "dark" : "light";
    if (document.body && document.body.classList.contains("dark") !== dark) document.body.classList.toggle("dark", dark);
  };
  dress();
  const watchBody = () => {
    dress();
    new MutationObserver(dress).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  };
  if (document.body) watchBody(); else document.addEventListener("DOMContentLoaded", watchBody);
  const redrawn = [];
  const switchTheme = () => {
    keep(localStorage, "ragtune-theme", wanted() === "dark" ? "light" : "dark");
    dress();
    redrawn.forEach((draw) => draw());
  };

  // Pages. The current one is known here and nowhere else: an answer that was under way cannot repaint it.
  let step = recall(sessionStorage, "ragtune-step", "home");
  if (!STEPS.includes(step)) step = "home";
  let select = null;
  const paint = () => {
    root.dataset.step = step;
    document.querySelectorAll("#rail .step").forEach((button) => {
      if (button.dataset.go === step) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
  };
  // Gradio's own tab buttons are hidden but work without the server, which may be busy training.
  const flip = (key) => {
    const tab = document.getElementById(`page-${key}-button`);
    if (tab) tab.click();
    return Boolean(tab);
  };
  const go = (key, focus = true) => {
    if (!STEPS.includes(key)) return;
    step = key;
    keep(sessionStorage, "ragtune-step", key);
    paint();
    if (select) select("select", { step: key, there: flip(key) });
    const rail_ = document.getElementById("rail");
    if (rail_) rail_.removeAttribute("data-open");
    if (focus) arrive(key, 40);
  };
  const arrive = (key, tries) => {
    const title = document.querySelector(`#page-${key} h1`);
    if (title && title.offsetParent) {
      window.scrollTo({ top: 0 });
      title.focus({ preventScroll: true });
    } else if (tries) setTimeout(() => arrive(key, tries - 1), 50);
  };
  paint();

  const rail = (element, trigger, watch) => {
    acts(element, trigger);
    if (element.closest("#rail-steps")) {
      select = trigger;
      watch("value", paint);
      if (step !== "home") trigger("select", { step, there: flip(step) });
    }
    paint();
  };
  // The server's signal: open a page, have a page look at the disk again.
  const way = (value, trigger) => {
    if (!value) return;
    if (value.go) go(value.go);
    if (value.look) trigger(`look_${value.look}`, { why: value.why });
  };

  // Buttons in our HTML: data-do reaches the handler of the component that holds them.
  const acts = (element, trigger) => {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (button && element.contains(button) && button.tagName !== "SELECT" && !button.disabled)
        trigger("select", { do: button.dataset.do, id: button.dataset.id || "" });
    });
    element.addEventListener("change", (event) => {
      const field = event.target.closest("select[data-do]");
      if (field) trigger("select", { do: field.dataset.do, id: field.value });
    });
    element.addEventListener("ragtune-choice", (event) => trigger("submit", event.detail));
  };

  // Dialogs: native <dialog> gives the focus trap, Esc and the backdrop.
  const ask = (name, id = "") => {
    const dialog = document.querySelector(`dialog[data-name="${CSS.escape(name)}"]`);
    if (!dialog || dialog.open) return;
    dialog.dataset.id = id;
    const keys = dialog.querySelector("#single-keys");
    if (keys) keys.checked = recall(localStorage, "ragtune-keys", "on") === "on";
    const typed = dialog.querySelector("[data-typed]");
    if (typed) {
      typed.value = "";
      dialog.querySelectorAll("[data-choice]").forEach((b) => { b.disabled = true; });
    }
    dialog.showModal();
    (typed || dialog.querySelector("[data-close]")).focus();
  };
  document.addEventListener("input", (event) => {
    const typed = event.target.closest && event.target.closest("[data-typed]");
    if (typed) typed.closest("dialog").querySelectorAll("[data-choice]")
      .forEach((b) => { b.disabled = typed.value.trim() !== typed.dataset.typed; });
  });

  const copy = async (button) => {
    const before = button.textContent;
    try { await navigator.clipboard.writeText(button.dataset.copy); button.textContent = "Copied"; }
    catch { button.textContent = "Select it and copy by hand"; }
    setTimeout(() => { button.textContent = before; }, 1500);
  };
  const cite = (button) => {
    const page = button.closest('[role="tabpanel"]') || document;
    page.querySelectorAll(".source.lit").forEach((s) => s.classList.remove("lit"));
    const source = [...page.querySelectorAll(`[data-source="${CSS.escape(button.dataset.cite)}"]`)]
      .find((s) => s.offsetParent);
    if (!source) return;
    source.classList.add("lit");
    source.scrollIntoView({ block: "nearest" });
    source.focus({ preventScroll: true });
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button, [data-go]");
    if (!button || button.disabled) return;
    const data = button.dataset;
    if ("go" in data) go(data.go, !button.closest("#rail"));
    else if ("ask" in data) {
      const page = button.closest('[id^="page-"]');
      ask(page ? `${page.id.slice(5)}-${data.ask}` : data.ask, data.id);
    } else if ("close" in data) button.closest("dialog").close();
    else if ("choice" in data) {
      const dialog = button.closest("dialog");
      dialog.close();
      dialog.dispatchEvent(new CustomEvent("ragtune-choice",
        { bubbles: true, detail: { choice: data.choice, id: dialog.dataset.id || "" } }));
    } else if ("copy" in data) copy(button);
    else if ("cite" in data) cite(button);
    else if ("themeSwitch" in data) switchTheme();
    else if ("help" in data) ask("help");
    else if ("rail" in data) document.getElementById("rail").toggleAttribute("data-open");
    else if (data.do === "reload") location.reload();
  });

  // Keys. Option + digit types a symbol on a Mac, so the physical key counts.
  const typing = (t) => t.closest && t.closest("input, textarea, select, [contenteditable]") &&
    !(t.tagName === "INPUT" && /^(radio|checkbox|range|button)$/.test(t.type));
  const seen = (selector) => [...document.querySelectorAll(selector)].find((e) => e.offsetParent);
  const press = (name) => {
    const holder = seen(`.key-${name}`);
    const button = holder && (holder.matches("button") ? holder : holder.querySelector("button"));
    if (button && !button.disabled) { button.click(); return button; }
    return null;
  };
  // Up and down step where the person is at a list or at what it opened; elsewhere they scroll the page or choose
  // within a group. The focus alone does not tell: plain text has none, and a decision by key leaves it where it was.
  const PLACES = ".key-list, .key-pane";
  let place = null;
  const at = (target) => { place = target.closest ? target.closest(PLACES) : null; };
  document.addEventListener("pointerdown", (event) => at(event.target));
  document.addEventListener("focusin", (event) => at(event.target));
  const steps = (t) => t.closest(".key-list") || (t.matches("body, h1, #rail button") && place && place.offsetParent);
  const single = () => recall(localStorage, "ragtune-keys", "on") === "on";
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const digit = /^(?:Digit|Numpad)([0-8])$/.exec(event.code);
    if (event.altKey && !event.ctrlKey && !event.metaKey && digit) { event.preventDefault(); go(STEPS[+digit[1]]); return; }
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") { if (press("main")) event.preventDefault(); return; }
    if (event.altKey || event.ctrlKey || event.metaKey || typing(event.target) || !single()) return;
    if (event.key === "?") { event.preventDefault(); ask("help"); return; }
    if (event.key === "/") {
      const holder = seen(".key-search");
      const field = holder && holder.querySelector("input, textarea");
      if (field) { event.preventDefault(); field.focus(); }
      return;
    }
    const arrow = { ArrowUp: "up", ArrowDown: "down" }[event.key];
    if (arrow) {
      if (steps(event.target) && press(arrow)) event.preventDefault();
      return;
    }
    const button = /^[a-z]$/i.test(event.key) && !event.repeat && press(event.key.toLowerCase());
    if (!button) return;
    event.preventDefault();
    if (button.closest(PLACES)) at(button); // who decides by key is at the question
  });
  document.addEventListener("change", (event) => {
    if (event.target.id === "single-keys") keep(localStorage, "ragtune-keys", event.target.checked ? "on" : "off");
  });

  // Banners: the server is gone; too many windows for the six connections a browser allows.
  const banner = (id, text) => {
    let element = document.getElementById(id);
    if (!text) { if (element) element.remove(); return; }
    if (!element) {
      element = document.createElement("div");
      element.id = id;
      element.className = "banner";
      element.setAttribute("role", "alert");
      document.body.prepend(element);
    }
    if (element.textContent !== text) element.textContent = text;
  };
  let answered = Date.now();
  let launch = null;
  const alive = async () => {
    try {
      const reply = await fetch("ragtune/alive", { cache: "no-store", signal: AbortSignal.timeout(4000) });
      const name = reply.ok ? await reply.text() : launch;
      answered = Date.now();
      banner("gone", "");
      if (launch && name !== launch) location.reload(); // started again: its sessions are new as well
      launch = name;
    } catch {
      if (Date.now() - answered > 5000)
        banner("gone", "RAGTune has stopped. Start it again with python app.py; your work is saved.");
    }
  };
  setInterval(alive, 2000);
  alive();
  if ("BroadcastChannel" in window) {
    const me = `${Date.now()}-${Math.random()}`;
    const others = new Map();
    const channel = new BroadcastChannel("ragtune");
    channel.onmessage = ({ data }) => others.set(data, Date.now());
    setInterval(() => {
      channel.postMessage(me);
      others.forEach((at, name) => { if (Date.now() - at > 6000) others.delete(name); });
      banner("many", others.size > 3
        ? `RAGTune is open in ${others.size + 1} windows. Browsers allow four at a time: close some.` : "");
    }, 2000);
  }

  // The chart: drawn once, then fed. Colours are "var(--name)" in the figure and read when it is drawn.
  let plotly = null;
  const library = () => plotly || (plotly = new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = "ragtune/plotly.min.js";
    script.onload = () => done(window.Plotly);
    script.onerror = () => { plotly = null; failed(new Error("the chart library did not load")); };
    document.head.append(script);
  }));
  const coloured = (thing, styles) => {
    if (typeof thing === "string") {
      const name = /^var\((--[\w-]+)\)$/.exec(thing);
      return name ? styles.getPropertyValue(name[1]).trim() : thing;
    }
    if (Array.isArray(thing)) return thing.map((t) => coloured(t, styles));
    if (thing && typeof thing === "object")
      return Object.fromEntries(Object.entries(thing).map(([k, v]) => [k, coloured(v, styles)]));
    return thing;
  };
  const painted = () => new Promise((rest) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(rest))));
  const chart = (element, props, watch) => {
    const box = element.querySelector(".plot");
    const words = element.querySelector(".chart-words");
    let last = "";
    const draw = async (again = false) => {
      const { figure = null, summary = "" } = props.value || {};
      words.textContent = summary;
      words.classList.toggle("sr-only", Boolean(figure));
      const text = JSON.stringify(figure);
      if (text === last && !again) return;
      last = text;
      box.hidden = !figure;
      if (!figure) return;
      await painted(); // the page first: the library takes a moment to parse
      const library_ = await library();
      if (text !== last) return; // newer figures came in meanwhile
      const { data, layout } = coloured(figure, getComputedStyle(element));
      await library_.react(box, data, layout, {
        displaylogo: false, responsive: true,
        modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
      });
    };
    // Plotly hears the window only; a page that was hidden meanwhile comes back at another width.
    new ResizeObserver(() => { if (window.Plotly && box.offsetWidth && box.data) window.Plotly.Plots.resize(box); }).observe(element);
    watch("value", () => { draw(); });
    redrawn.push(() => draw(true));
    draw();
  };

  window.ragtune = { go, rail, way, acts, ask, chart, paint, get step() { return step; } };
})();
