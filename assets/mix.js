// The mix in the browser: three shares that always add up to 100, the ring and the counts, no request while they move.
(() => {
  "use strict";
  const LANES = ["raft", "plain", "dap"];
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

  // Whole numbers in the ratio of the weights that add up to total: largest remainder, ties go by order.
  const split = (total, weights) => {
    const all = sum(weights);
    if (!all) return weights.map(() => 0);
    const counts = weights.map((w) => Math.floor((total * w) / all));
    const rest = weights.map((w, n) => (total * w) / all - counts[n]);
    const order = weights.map((_, n) => n).sort((a, b) => (Math.abs(rest[b] - rest[a]) > 1e-9 ? rest[b] - rest[a] : a - b));
    order.slice(0, total - sum(counts)).forEach((n) => { counts[n] += 1; });
    return counts;
  };
  // One share is set; the other two take the rest in their old ratio, or halves where both are 0.
  const balance = (exact, moved, value) => {
    const others = sum(exact) - exact[moved];
    return exact.map((share, n) => (n === moved ? value : others > 1e-9 ? (share * (100 - value)) / others : (100 - value) / 2));
  };
  const whole = (exact, moved) => {
    const value = Math.round(exact[moved]);
    const others = exact.map((share, n) => (n === moved ? 0 : share));
    const shown = split(100 - value, others);
    shown[moved] = value;
    return shown;
  };

  // The exact shares stay here: rounded numbers read back would drift, and those in flight may be old.
  let exact = [70, 30, 0];
  let shown = [70, 30, 0];
  let owner = null;
  const move = (moved, value) => {
    if (typeof value === "number" && Number.isFinite(value)) {
      exact = balance(exact, moved, Math.min(100, Math.max(0, Math.round(value))));
      shown = whole(exact, moved);
    }
    return shown.filter((_, n) => n !== moved);
  };
  // The server set other shares: those of a preset (always new), or of a project (new when it is another one).
  const adopt = (project, ...shares) => {
    if (project !== null && project === owner) return;
    if (project !== null) owner = project;
    exact = shares.map((v) => Number(v) || 0);
    shown = exact.slice();
  };

  // Halves go to the even number, as they do in the domain.
  const even = (x) => (Math.abs((x % 1) - 0.5) < 1e-9 ? 2 * Math.round(x / 2) : Math.round(x));
  // What each lane can really give: the domain's plan_mix, for the eye.
  const plan = (size, shares, variants, stock) => {
    let wanted = split(size, shares);
    const there = [stock.questions * variants, stock.prompts, stock.chunks];
    const part = there[0] / wanted[0];  // too few questions: the other lanes keep their ratio to them
    if (part > 0 && part < 1) wanted = wanted.map((w, n) => (n && w ? Math.max(1, even(w * part)) : w));
    return wanted.map((w, n) => ({ wanted: w, count: Math.min(w, there[n]) }));
  };

  let ring = null;
  let last = null;
  let tell = null;
  let dirty = false;
  const figure = (n) => n.toLocaleString("en-US");
  const paint = () => {
    const holder = ring && ring.querySelector("[data-stock]");
    if (!holder || !last) return;
    const { shares, size, variants } = last;
    const lanes = plan(size, shares, variants, JSON.parse(holder.dataset.stock));
    let at = 0;
    LANES.forEach((lane, n) => {
      const arc = ring.querySelector(`[data-lane="${lane}"]`);
      arc.setAttribute("stroke-dasharray", `${shares[n]} ${100 - shares[n]}`);
      arc.setAttribute("stroke-dashoffset", `${-at}`);
      at += shares[n];
      ring.querySelector(`[data-share="${lane}"]`).textContent = `${shares[n]} %`;
      const { wanted, count } = lanes[n];
      ring.querySelector(`[data-count="${lane}"]`).textContent =
        count < wanted ? `${figure(count)} instead of ${figure(wanted)} examples` : `${figure(count)} examples`;
    });
    ring.querySelector(".total").textContent = figure(sum(lanes.map((lane) => lane.count)));
  };
  const show = (raft, plain, dap, size, variants) => {
    const shares = [raft, plain, dap].map((v) => Number(v) || 0);
    last = { shares, size: Number(size) || 0, variants: Number(variants) || 0 };
    paint();
  };
  // The server hears of it once, when the hand or the keyboard leaves the sliders.
  const touched = () => { dirty = true; };
  const leave = () => {
    if (!dirty || !tell) return;
    dirty = false;
    tell("select", { do: "keep" });
  };
  const mount = (element, trigger, watch) => {
    ring = element;
    tell = trigger;
    const there = ["a", "b", "c"].map((id) => document.querySelector(`#mix-${id} input[type="number"]`));
    if (owner === null && there.every(Boolean)) adopt(null, ...there.map((field) => field.value));
    watch("value", paint);
    document.querySelectorAll(".mix-moves").forEach((card) => {
      if (card.dataset.watched) return;
      card.dataset.watched = "1";
      card.addEventListener("input", touched, true);
      card.addEventListener("pointerleave", (event) => { if (!event.buttons) leave(); });
      card.addEventListener("focusout", (event) => { if (!card.contains(event.relatedTarget)) leave(); });
    });
    paint();
  };

  globalThis.ragtune = Object.assign(globalThis.ragtune || {}, { mix: { split, balance, whole, move, adopt, plan, show, mount } });
})();
