// Draws each figure from its description beside it; the static image stays until that has worked.
"use strict";
for (const figure of document.querySelectorAll("figure[data-figure]")) {
  const spec = JSON.parse(figure.querySelector("script").textContent);
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    ast: true, // interprets expressions: the page's policy forbids evaluating text
    actions: { export: true, source: false, compiled: false, editor: false },
    downloadFileName: figure.dataset.figure,
  };
  window.vegaEmbed(figure.querySelector(".live"), spec, options).then(
    () => figure.classList.add("drawn"),
    (error) => console.error(figure.dataset.figure, error),
  );
}
