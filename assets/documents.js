() => {
  // The text of a document that was just opened comes into view; later answers leave the page where it is.
  const box = document.getElementById("docs-text");
  const text = box && box.querySelector("section");
  const id = text ? text.dataset.document : "";
  if (id && id !== box.dataset.shown) text.scrollIntoView({ block: "nearest" });
  if (box) box.dataset.shown = id;
}
