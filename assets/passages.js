() => setTimeout(() => {
  // The page that was just opened shows its passage; else the passage that is to be mended gets the keyboard.
  const box = document.getElementById("find-sheet");
  const mark = box && box.querySelector("mark");
  const text = mark ? mark.textContent : "";
  const words = document.querySelector("#find-mend textarea");
  if (text && text !== box.dataset.shown) {
    mark.parentElement.scrollTop = mark.offsetTop - mark.parentElement.offsetTop - 40;
    box.scrollIntoView({ block: "nearest" });
  } else if (words && words.offsetParent && words.value !== words.dataset.shown) {
    words.focus();
    words.scrollIntoView({ block: "center" });
    words.dataset.shown = words.value;
  }
  if (box) box.dataset.shown = text;
}, 150)
