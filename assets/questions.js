() => {
  // The open question stays in sight within its list, and keeps the focus that is there; the page does not move.
  const list = document.querySelector("#q-list .scroll");
  const item = list && list.querySelector("[aria-current]");
  if (!item) return;
  const box = list.getBoundingClientRect();
  const row = item.getBoundingClientRect();
  if (row.top < box.top) list.scrollTop -= box.top - row.top;
  else if (row.bottom > box.bottom) list.scrollTop += row.bottom - box.bottom;
  if (list.contains(document.activeElement)) item.focus({ preventScroll: true });
}
